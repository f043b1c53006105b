"""Measurements of onaiml beside its peers; `python -m benchmarks` runs them and writes docs/benchmarks.md."""
