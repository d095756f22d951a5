"""What a game is to the rest of the project: how it is found, made and shown.

Read `spec` first; `sources` finds games by name, `muzero_general` takes files written for muzero-general.
"""
