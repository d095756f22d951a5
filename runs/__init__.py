"""A training: the actors, who drives them, and what is kept of it."""
