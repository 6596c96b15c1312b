"""From a recipe's data section to facts and arrays."""
