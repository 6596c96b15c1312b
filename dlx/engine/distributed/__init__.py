"""Several processes of one run: how they start, what they agree upon, and how they end."""
