"""From a plan to torch and Lightning objects: networks, initial weights, batches."""
