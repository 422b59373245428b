"""What the benchmark of the training step is made of."""
