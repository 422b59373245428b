"""What the benchmark of the main job starts: the program of a checkout, block by block."""
