"""What a game must keep to, and what to change where it does not."""
