"""The recipe language: YAML text to a validated Recipe."""
