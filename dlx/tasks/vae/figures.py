"""Figures of a variational autoencoder: samples, reconstructions, and what each dimension of the code changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dlx.figures.samples import sheet, strips

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(images: Mapping[str, np.ndarray]) -> dict[str, Figure]:
    """Draw images that were generated; nothing where the data are no images."""
    if "reconstructions" not in images:
        return {}
    traversal, interpolation, samples = (images[name] for name in ("traversal", "interpolation", "samples"))
    names = [f"dimension {i + 1}" for i in range(len(traversal))]
    return {
        "samples": sheet(samples, f"{len(samples)} samples of codes drawn from N(0, I)"),
        "reconstructions": strips(images["reconstructions"], ("input", "reconstruction")),
        "interpolation": strips(interpolation, [""] * len(interpolation), "From one code to another along an arc"),
        "traversal": strips(traversal, names, "One dimension of the code at a time, from −2.5 to 2.5"),
    }
