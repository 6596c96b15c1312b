"""Distributed training: how the processes of a run start, what they agree upon, and how they end."""
