"""From samples on disk to the batches that a network sees, in an order that is a function of seed and epoch."""
