"""Generated reference: components, error codes, Markdown pages, the JSON Schema of a recipe."""
