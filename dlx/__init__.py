"""dlx: a compiler for deep-learning experiments. A YAML recipe becomes a trained and tracked run."""

__version__ = "0.1.0"
