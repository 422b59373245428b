"""What the benchmarks of Gauss-Newton share: cases, methods, and runs in processes."""
