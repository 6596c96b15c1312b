"""What self-supervised tasks share: linear probes, augmented views, siamese networks, pretext labels."""
