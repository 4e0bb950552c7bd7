"""HTTP of every kind: the limit, Guava, its peers and nginx, side by side in one run."""
