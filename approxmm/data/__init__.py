"""Data sets: embedded digits, the MNIST family from IDX files, a user's own arrays."""
