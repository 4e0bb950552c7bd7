"""Sessions: stores, memory, whole requests; python -m benchmarks.session."""
