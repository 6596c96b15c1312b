"""How many rotations of an image there are."""

ROTATIONS = 4
