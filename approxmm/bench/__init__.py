"""Benchmarks that are part of the project: ratios against a baseline timed in the same run."""
