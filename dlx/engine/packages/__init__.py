"""Packages: a trained run as one zip file, and back. Nothing in it is code, and nothing of it is trusted."""
