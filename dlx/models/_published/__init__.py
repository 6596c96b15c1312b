"""Name maps of published weights, a table for each architecture."""
