"""Plan to Lightning objects, and the run itself."""

from dlx.rank import ignore_incomplete_cluster

ignore_incomplete_cluster()  # Lightning reads these variables as it is imported
