"""Many games side by side: what they look like to a network, how moves are explored, what is kept of them.

Read `environment` (one game) and `game_table` (many) first, then `history_builder`; `board_table` is the
faster table of compiled board games, and `make_table` chooses. `player` says what chooses moves on a table;
`one_seat` makes a game for one of a seat of any other.
"""
