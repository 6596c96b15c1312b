"""What tasks share that generate samples: autoencoders and adversarial networks."""
