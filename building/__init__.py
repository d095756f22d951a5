"""How the project becomes a package that pip installs; nothing here is needed to run it."""
