"""What the end-to-end tests and the demo share; Python's standard library only."""
