"""What the benchmarks share: how programs are found and built, run, watched, and reported."""
