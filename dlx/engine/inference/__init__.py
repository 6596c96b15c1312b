"""Inference: a trained run restored, and what is asked of it."""
