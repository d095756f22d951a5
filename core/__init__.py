"""What knows no configuration, game, network or run: errors, options, random numbers, supports, costs.

Small files that hardly need each other: read one when you meet it.
"""
