"""From one file to one tree: what it extends, overrides, references, blocks and stages."""
