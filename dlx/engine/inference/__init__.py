"""Inference: a trained run restored, and predict, evaluate, embed, sample and generate with it."""
