"""Figures: arrays in, matplotlib figures out, and nothing else."""
