"""Hello, world: the limit, Guava and its peers, side by side in one run."""
