"""Benchmarks: `python -m bench` (or `./dojo bench`)."""
