"""How many ways an image is turned."""

TURNS = 4
