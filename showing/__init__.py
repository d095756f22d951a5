"""What a person sees of a game, at the terminal, in the browser or as a film, and of an agent's thoughts."""
