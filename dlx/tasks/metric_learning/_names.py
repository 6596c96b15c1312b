"""Names that the specification and the module of metric_learning share."""

HOLDOUT = "holdout_"
"""Beginning of the names of what is measured among samples of classes that are not in train."""
