"""Data loading: from samples on disk to batches, whose order is a pure function of seed and epoch."""
