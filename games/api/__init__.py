"""What a game is to the rest of the project: how it is found, made and shown."""
