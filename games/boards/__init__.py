"""Board games for two as compiled rules: what they share, and alpha-beta search on them.

Read `rules` first: what a board game's file has to give. `game` makes the game API of it, `preset` is what
the configurations of boards have in common.
"""
