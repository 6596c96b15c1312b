"""The training of one experiment: the trainer, its callbacks, checkpoints, progress and signals."""
