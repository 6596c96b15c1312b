"""Studies: many runs of one idea. A sweep searches, a comparison decides; both are folders of ordinary runs."""
