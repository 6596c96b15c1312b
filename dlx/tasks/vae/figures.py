"""Pictures of what a variational autoencoder makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dlx.figures.samples import sheet, strips

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(made: Mapping[str, np.ndarray]) -> dict[str, Figure]:
    """Draw samples, reconstructions, and what each number of the code does; nothing where the data are no images."""
    if "sheet" not in made:
        return {}
    walked, ways = made["traversal"], made["interpolation"]
    names = [f"number {i + 1}" for i in range(len(walked))]
    return {
        "samples": sheet(made["samples"], f"{len(made['samples'])} samples of codes drawn at random"),
        "reconstructions": strips(made["sheet"], ("input", "given back")),
        "interpolation": strips(ways, [""] * len(ways), "From one sample's code to another's, along an arc"),
        "traversal": strips(walked, names, "The code's numbers, one at a time, from −2.5 to 2.5"),
    }
