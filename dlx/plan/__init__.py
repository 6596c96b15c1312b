"""What a recipe will build and cost, without torch."""
