"""What `benchmarks/records.py` and its page share: cases, rows, text."""
