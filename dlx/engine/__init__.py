"""Plan to Lightning objects, and the run itself."""
