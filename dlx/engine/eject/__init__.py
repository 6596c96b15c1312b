"""Ejecting: a recipe becomes a plain PyTorch Lightning project, which ends with the same weights without dlx."""
