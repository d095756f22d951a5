"""What `python muzero.py new-game` writes."""
