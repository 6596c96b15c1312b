"""Export: a run as files of other runtimes, each held against the run on the test split before it is written."""
