"""Text generation: sampling and beam search over a network that is asked step by step."""
