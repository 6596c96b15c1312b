"""What the modules of all tasks share: the training step, masks, heads, features, what layers measure."""
