"""A run from its first line to its verdict: directory, lock, stages, resuming, claims."""
