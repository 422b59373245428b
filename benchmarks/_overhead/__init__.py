"""What the benchmark of the overhead is made of."""
