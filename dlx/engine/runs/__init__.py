"""A run from its first line to its verdict: its directory, its stages, resuming it, its claims."""
