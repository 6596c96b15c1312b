"""What is wrong with a recipe, where it stands, and how that is shown."""
