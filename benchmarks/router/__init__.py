"""guava-router beside the routers of other frameworks."""
