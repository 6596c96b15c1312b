"""Figures of generated samples: sheets of images, strips, scatter plots, score histograms.

Images are (…, C, H, W) between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.figures.base import BLUE, GRAY, ORANGE, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDEST = 10.0  # inches
GAP = 1  # pixels between two tiles
BETWEEN = (0.80, 0.85, 0.92)  # their color, which is neither that of ink nor that of paper


def tile_images(images_NCHW: Any, columns: int) -> np.ndarray:
    """Return images side by side in rows, as one image (H, W, 3) with colored lines between them."""
    images = np.asarray(images_NCHW, dtype=float)
    channels = images.shape[1] if images.shape[1] in (1, 3) else 1
    images = np.moveaxis(images[:, :channels], 1, -1)
    count, height, width, _ = images.shape
    rows = math.ceil(count / columns)
    sheet = np.ones((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3)) * BETWEEN
    for k, image in enumerate(images):
        top, left = k // columns * (height + GAP), k % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    return sheet


def sheet(images_NCHW: Any, title: str = "") -> Figure:
    """Draw samples on one sheet, as many columns as rows."""
    count = len(images_NCHW)
    columns = math.ceil(math.sqrt(count))
    picture = tile_images(images_NCHW, columns)
    side = min(WIDEST, 0.75 * columns + 0.5)
    figure = new_figure(side, side * picture.shape[0] / picture.shape[1] + 0.5)
    _show(figure.add_subplot(), picture)
    set_title(figure.axes[0], title or f"{count} samples")
    return figure


def strips(strips_RNCHW: Any, names: Sequence[str], title: str = "") -> Figure:
    """Draw rows of images whose columns correspond, such as inputs and reconstructions."""
    rows, count, _, height, _ = strips_RNCHW.shape
    picture = tile_images(np.asarray(strips_RNCHW).reshape(rows * count, *strips_RNCHW.shape[2:]), count)
    wide = min(WIDEST, 0.8 * count + 1.2)
    figure = new_figure(wide, (wide - 1.2) * picture.shape[0] / picture.shape[1] + 0.6)
    axes = figure.add_subplot()
    _show(axes, picture, ticks=True)
    axes.set_yticks([(height + GAP) * (r + 0.5) for r in range(rows)], list(names), fontsize=9)
    set_title(axes, title or " → ".join(names))
    return figure


def _show(axes: Any, picture: np.ndarray, ticks: bool = False) -> None:
    axes.imshow(picture, vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if not ticks:
        axes.set_yticks([])


def scatter(real_N2: Any, generated_N2: Any, title: str) -> Figure:
    """Draw a scatter plot of generated points over points of the data, if there are any."""
    figure = new_figure(5.4, 5.4)
    axes = figure.add_subplot()
    for points, color, label in ((real_N2, GRAY, "data"), (generated_N2, ORANGE, "generated")):
        across, up = np.asarray(points)[:, :2].T
        axes.scatter(across, up, s=7, alpha=0.45, color=color, linewidths=0, label=label)
    around = np.asarray(real_N2 if len(real_N2) else generated_N2)[:, :2]
    low, high = around.min(0), around.max(0)
    middle, half = (low + high) / 2, 0.65 * float((high - low).max()) or 1.0
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half), aspect="equal")
    axes.legend(frameon=False, fontsize=9, loc="upper right", markerscale=3)
    set_title(axes, title)
    return figure


def score_histogram(normal: Any, anomalous: Any, threshold: float, title: str) -> Figure:
    """Draw the histogram of the anomaly scores of normal and of anomalous samples, and the threshold."""
    figure = new_figure(6, 3.8)
    axes = figure.add_subplot()
    everything = np.concatenate([np.asarray(normal), np.asarray(anomalous)])
    bins = np.linspace(everything.min(), np.quantile(everything, 0.995), 40)
    for values, color, label in ((normal, BLUE, "normal"), (anomalous, ORANGE, "anomalous")):
        if len(values):
            axes.hist(np.asarray(values), bins.tolist(), density=True, alpha=0.55, color=color, label=label)
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1.2, label=f"threshold {threshold:.3g}")
    axes.set(xlabel="reconstruction error", ylabel="density")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    set_title(axes, title)
    return figure
