"""What tasks share that learn without a target."""
