"""What knows no configuration, game, network or run: errors, options, random numbers, supports, costs.

Twenty-five files, small ones that hardly need each other: read one when you meet it.
"""
