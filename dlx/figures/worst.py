"""The worst predictions: sheets of the samples with the highest loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.figures.base import GRAY, ORANGE, new_figure, set_title, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILES = 25
ONE_LINE = 20  # letters above a tile
ROWS = 20
COLUMNS = 12  # as many as fit on a page
OUTCOMES = ("true", "predicted", "loss", "sample")


def worst_examples(
    images: Any,
    labels: Any,
    predictions: Any,
    losses: Any,
    classes: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Figure:
    """Draw the images with the highest loss, worst first, each with its true and predicted class or value.

    images are (N, C, H, W) or (N, H, W), bytes or floats; labels and predictions are class indices, or values where
    there are no classes; names, such as those of files, stand below the images.
    """
    losses = np.asarray(losses, dtype=float)
    order = _worst_first(losses)[:TILES]
    columns = min(max(math.ceil(math.sqrt(len(order))), 3), 5)
    rows = max(math.ceil(len(order) / columns), 1)
    figure = new_figure(1.9 * columns, (2.5 if len(names) else 2.3) * rows + 0.5)
    shown = to_unit_range(np.asarray(images)[order])
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, i, image in zip(grid.flat, order, shown, strict=False):
        gray = image.shape[-1] == 1
        axes.imshow(image[..., 0] if gray else image, cmap="gray" if gray else None, vmin=0, vmax=1)
        _caption(axes, labels[i], predictions[i], losses[i], classes)
        if len(names):
            axes.text(
                0.5, -0.03, shorten_left(names[i], 26), transform=axes.transAxes, ha="center", va="top", fontsize=7
            )
    figure.suptitle(_sheet_title(labels, predictions, len(order), classes), fontsize=12, fontweight="bold")
    return figure


def shorten_left(name: str, length: int) -> str:
    """Return a name whose beginning gives way to an ellipsis, since the end of a path says which file it is."""
    return name if len(name) <= length else "…" + name[len(name) - length + 1 :]


def _worst_first(losses: np.ndarray) -> np.ndarray:
    """Return the order by falling loss; one that is not a number is the worst."""
    return np.argsort(-np.where(np.isnan(losses), np.inf, losses), kind="stable")


def to_unit_range(images: np.ndarray) -> np.ndarray:
    """Return images (N, H, W, 1 or 3) from 0 to 1."""
    channels = images[:, None] if images.ndim == 3 else images
    channels = np.moveaxis(channels, 1, -1)
    channels = channels if channels.shape[-1] in (1, 3) else channels[..., :1]
    if images.dtype == np.uint8:
        return channels / 255
    if not channels.size:
        return channels
    low, high = min(float(channels.min()), 0.0), max(float(channels.max()), 1.0)
    return (channels - low) / (high - low)


def _caption(axes: Axes, label: Any, predicted: Any, loss: float, classes: Sequence[str]) -> None:
    wrong = bool(len(classes)) and int(label) != int(predicted)
    true_name, predicted_name = (_name(v, classes) for v in (label, predicted))
    both = f"{true_name} → {predicted_name}"
    text = both if len(both) <= ONE_LINE else f"{true_name}\n→ {predicted_name}"
    axes.set_title(f"{text}\nloss {loss:.3g}", fontsize=9, color=ORANGE if wrong else GRAY)


def _name(value: Any, classes: Sequence[str]) -> str:
    return short(classes[int(value)] if len(classes) else float(value), ONE_LINE)


def _sheet_title(labels: np.ndarray, predictions: np.ndarray, shown: int, classes: Sequence[str]) -> str:
    if not len(classes):
        return f"The {shown} worst of {len(labels)} (true → predicted)"
    wrong = int((labels.astype(int) != predictions.astype(int)).sum())
    return f"{wrong} of {len(labels)} wrong\nthe {shown} with the highest loss (true → predicted)"


def worst_rows(table: Mapping[str, Sequence[Any]]) -> Figure:
    """Draw the rows of a table with the highest `loss`, worst first.

    Columns `true`, `predicted`, `loss` and `sample` stand first; of the others as many as fit.
    """
    size = len(next(iter(table.values()))) if table else 0
    order = _worst_first(np.asarray(table.get("loss", np.zeros(size)), dtype=float))[:ROWS]
    first = [c for c in OUTCOMES if c in table]
    others = [c for c in table if c not in OUTCOMES]
    columns = [*first, *others][:COLUMNS]
    figure = new_figure(1.15 * max(len(columns), 4) + 0.3, 0.3 * (len(order) + 1) + 0.7)
    axes = figure.add_subplot()
    axes.set_axis_off()
    left_out = len(first) + len(others) - len(columns)
    note = f"; {left_out} columns left out" if left_out else ""
    set_title(axes, f"The {len(order)} worst of {size}{note}", size=12)
    if columns and size:
        cells = [[_cell(table[c][i], c) for c in columns] for i in order]
        _draw_table(axes, cells, [short(c, 14) for c in columns], len(first))
    return figure


def _cell(value: Any, column: str) -> str:
    return shorten_left(str(value), 14) if column == "sample" else short(_value(value), 14)


def _value(value: Any) -> Any:
    """Return a cell as it is written: whole numbers without a fraction, missing ones as a dash."""
    if value is None or value != value:  # NaN alone differs from itself
        return "–"
    if isinstance(value, (float, np.floating)) and float(value).is_integer() and abs(float(value)) < 1e6:
        return int(value)
    return value


def _draw_table(axes: Axes, cells: list[list[str]], columns: list[str], outcomes: int) -> None:
    from matplotlib.transforms import Bbox

    drawn = axes.table(cells, colLabels=columns, loc="center", cellLoc="right", bbox=Bbox.unit())
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    for (row, column), cell in drawn.get_celld().items():
        cell.set_linewidth(0)
        cell.set_facecolor("#F3F3F3" if row % 2 == 0 and row else "white")
        if row == 0:
            cell.set_text_props(fontweight="bold", ha="right")
        elif column < outcomes:
            cell.set_text_props(color=ORANGE)
