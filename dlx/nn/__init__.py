"""Torch that layers and tasks share: the context that flows beside x, recurrent cells, features, counters."""
