"""What is said of a running training: on the terminal, in TensorBoard, in files."""
