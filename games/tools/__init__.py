"""What several games use to print, draw or guard themselves. A game's own rules never belong here."""
