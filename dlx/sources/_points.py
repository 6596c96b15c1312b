"""What sources made of numbers share: points with coordinates x1, x2, … and a class or number to predict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx.sources import Column, Samples

if TYPE_CHECKING:
    import numpy as np


def labeled_points(points_ND: np.ndarray, labels_N: np.ndarray, classes: tuple[str, ...]) -> Samples:
    """Return points whose target is a class."""
    target = Column(labels_N.astype("int64"), "", "categorical", classes)
    return Samples({**_coordinates(points_ND), "target": target}, tuple(_coordinates(points_ND)), "target")


def _coordinates(points_ND: np.ndarray) -> dict[str, Column]:
    numbers = points_ND.astype("float64")
    return {f"x{i + 1}": Column(numbers[:, i].copy(), "", "numeric") for i in range(numbers.shape[1])}
