"""What groups of benchmarks share; Python's standard library only."""
