"""What tasks share that learn from a target: spec and module, for one answer a sample or one a step."""
