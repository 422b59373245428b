"""What the benchmark of Runge-Kutta steps is made of: cases, runners, peers, measurements."""
