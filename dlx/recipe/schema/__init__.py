"""What a recipe may say: its sections as Pydantic models, and what their fields say of themselves."""
