"""What is on disk: a run's folder, its checkpoints, and how files are written whole."""
