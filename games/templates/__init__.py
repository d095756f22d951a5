"""What `python muzero.py new-game` writes: a small, complete game for one player, and one for two."""
