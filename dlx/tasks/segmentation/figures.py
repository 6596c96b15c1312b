"""Figures of a segmentation: the worst images with their masks laid over, and the IoU of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.facts import DataFacts
from dlx.figures.base import BLUE, GRAY, confusion_matrix, new_figure, percent, set_title, short
from dlx.figures.worst import shorten_left, to_unit_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlx.tasks._base.evaluation import EvaluationArrays

OVERLAY = 0.55  # how much of a pixel's color is its class's
LONGEST = 40  # letters of a name in the legend
LETTER, KEY, ROW = 0.085, 0.55, 0.21  # inches of a letter, of a color beside its name, and of a row of them
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#F0E442", "#56B4E9", "#E69F00")  # of Okabe and Ito


def draw(arrays: EvaluationArrays, facts: DataFacts) -> dict[str, Figure]:
    """Draw the worst images, the IoU of each class, and which classes' pixels are confused."""
    pixels = arrays.extras["confusion_matrix"]
    return {
        "worst_masks": worst_masks(arrays, facts),
        "iou": iou_by_class(pixels, facts.classes),
        "confusion_matrix": confusion_matrix(pixels, facts.classes),
    }


def worst_masks(arrays: EvaluationArrays, facts: DataFacts) -> Figure:
    """Draw each of the worst images as it is, with its true mask, and with the predicted one."""
    name = facts.inputs[0]
    images = to_unit_range(np.stack([arrays.inputs[name][row] for row in arrays.rows]))
    colors = class_colors(len(facts.classes))
    across = 2 if len(images) > 1 else 1
    down = -(-len(images) // across)
    figure = new_figure(5.2 * across, 1.95 * down + 0.9)
    grid = figure.subplots(down, 3 * across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    names = arrays.row_names or [""] * len(images)
    for i, image in enumerate(images):
        first, second, third = grid[i // across, 3 * (i % across) :][:3]
        _show(first, image, f"loss {arrays.values['losses'][i]:.3g}")
        first.text(0.5, -0.03, shorten_left(names[i], 26), transform=first.transAxes, ha="center", va="top", fontsize=7)
        _show(second, overlay_mask(image, arrays.values["targets"][i], colors), "true")
        _show(third, overlay_mask(image, arrays.values["predictions"][i], colors), "predicted")
    add_legend(figure, facts.classes, colors, [arrays.values["targets"], arrays.values["predictions"]])
    pixels = arrays.extras["confusion_matrix"]
    accuracy, count = pixels.trace() / max(pixels.sum(), 1), pixels.sum() // arrays.values["targets"][0].size
    text = f"The {len(images)} worst of {count} images; pixel accuracy {percent(accuracy)}"
    figure.suptitle(text, fontsize=12, fontweight="bold")
    return figure


def add_legend(figure: Figure, classes: tuple[str, ...], colors_K3: np.ndarray, masks: Sequence[np.ndarray]) -> None:
    """Name every class that is in the masks below the images, as many in a row as fit side by side."""
    from matplotlib.patches import Patch

    there = sorted({int(k) for group in masks for mask in group for k in np.unique(mask)} & set(range(len(classes))))
    names = {k: short(classes[k], LONGEST) for k in there}
    keys = [
        Patch(color=colors_K3[k], label=names[k]) if k else Patch(fill=False, edgecolor=GRAY, label=names[k])
        for k in there
    ]
    width = LETTER * max((len(name) for name in names.values()), default=0) + KEY
    columns = max(1, min(len(keys), int(figure.get_size_inches()[0] / width)))
    rows = -(-len(keys) // columns)
    wide, high = figure.get_size_inches()
    figure.set_size_inches(wide, high + ROW * rows)
    figure.legend(handles=keys, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def iou_by_class(pixels: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """Draw the overlap (IoU) of each class, worst first, with its share of all pixels."""
    hits = pixels.diagonal()
    union = pixels.sum(0) + pixels.sum(1) - hits
    there = union > 0
    iou = hits / np.maximum(union, 1)
    order = np.argsort(iou, kind="stable")
    figure = new_figure(6.4, 1.3 + 0.32 * len(classes))
    axes = figure.add_subplot()
    axes.barh(range(len(classes)), iou[order], color=BLUE, height=0.7)
    shares = pixels.sum(1) / max(pixels.sum(), 1)
    for place, k in enumerate(order):
        text = f" {iou[k]:.3f}" if there[k] else " not there"
        axes.text(iou[k], place, text, va="center", fontsize=9, color=GRAY)
    labels = [f"{short(classes[k])} ({percent(shares[k])} of pixels)" for k in order]
    axes.set_yticks(range(len(classes)), labels, fontsize=9)
    axes.set_xlim(0, 1.12)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("overlap of predicted and true area over their union")
    set_title(axes, f"Mean IoU {iou[there].mean():.3f}; {short(classes[order[0]])} is found worst")
    return figure


def class_colors(classes: int) -> np.ndarray:
    """Return a color (red, green, blue) for each class; the first, which is laid over nothing, is black."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    chosen = [to_rgb(c) for c in COLORS]
    if classes > len(chosen) + 1:
        chosen = [tuple(c[:3]) for c in colormaps["turbo"](np.linspace(0.05, 0.95, classes - 1))]
    return np.array([(0.0, 0.0, 0.0), *chosen[: classes - 1]])


def overlay_mask(image_HWC: np.ndarray, mask_HW: np.ndarray, colors_K3: np.ndarray) -> np.ndarray:
    """Return the image with every class but the first in its color."""
    image_HW3 = np.broadcast_to(image_HWC, (*image_HWC.shape[:2], 3))
    tinted_HW3 = (1 - OVERLAY) * image_HW3 + OVERLAY * colors_K3[mask_HW.clip(0)]
    return np.where(mask_HW[..., None] > 0, tinted_HW3, image_HW3)


def _show(axes: Axes, image: np.ndarray, title: str) -> None:
    gray = image.shape[-1] == 1
    axes.imshow(image[..., 0] if gray else image, cmap="gray" if gray else None, vmin=0, vmax=1)
    axes.set_title(title, fontsize=9, color=GRAY)
