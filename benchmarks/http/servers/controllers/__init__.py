"""Controllers of guava_mvc.py."""
