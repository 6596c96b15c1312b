"""Figures of a trained network, with matplotlib. Each title states the result.

Figures are made without pyplot, so that drawing changes nothing outside of them. Colors are those of Okabe and Ito,
which color-blind people can tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#6B6B6B"
COUNTED_CLASSES = 20  # with more, numbers in the cells cannot be read
NAMED_CLASSES = 40  # with more, only some ticks have names
POINTS = 3000  # with more, density is drawn instead of points
PANELS = 12

Curve = Sequence[tuple[float, float]]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that arranges itself; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def set_title(axes: Axes, text: str, size: float = 11) -> None:
    """Write a title that begins where the plot does, in several lines where one does not fit into the figure."""
    axes.set_title(text, loc="left", fontsize=size, fontweight="bold", pad=8, wrap=True)


def short(text: object, length: int = 16) -> str:
    """Return a name, cut off with an ellipsis where it is too long for a label; numbers to four digits."""
    name = f"{text:.4g}" if isinstance(text, (float, np.floating)) else str(text)
    return name if len(name) <= length else name[: length - 1] + "…"


def percent(share: float) -> str:
    """Return a share as a percentage with the digits that matter, never rounded up to 100."""
    if share == 1:
        return "100 %"
    return f"{math.floor(share * 1000) / 10 if share > 0.9995 else share * 100:.1f} %"


def confusion_matrix(matrix: Any, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix: true classes are rows, predicted ones columns.

    Shades are fractions of the row: blue on the diagonal, orange beside it, where the root of the share makes rare
    confusions visible. Numbers are counts.
    """
    from matplotlib.colors import PowerNorm

    counts = np.asarray(matrix).astype(int)
    rows = counts.sum(1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    diagonal = np.eye(len(counts), dtype=bool)
    side = float(np.clip(2.2 + 0.48 * len(counts), 4.8, 12))
    figure = new_figure(side + 0.4, side)
    axes = figure.add_subplot()
    axes.imshow(np.ma.masked_array(shares, ~diagonal), cmap="Blues", vmin=0, vmax=1.15)
    axes.imshow(np.ma.masked_array(shares, diagonal | (counts == 0)), cmap="Oranges", norm=PowerNorm(0.5, 0, 1))
    if len(counts) <= COUNTED_CLASSES:
        _write_counts(axes, counts, shares)
    _label_ticks(axes, [short(c) for c in classes], rows[:, 0], side)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (samples)" if len(counts) <= COUNTED_CLASSES else "true")
    set_title(axes, _confusion_title(counts, classes))
    return figure


def count_confusions(labels: Any, predicted: Any, classes: int) -> np.ndarray:
    """Return the confusion matrix: how many samples of each class (rows) were predicted to be of which (columns)."""
    matrix = np.zeros((classes, classes), dtype=int)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    for (i, j), count in np.ndenumerate(counts):
        if count:
            dark = shares[i, j] > (0.6 if i == j else 0.35)
            size = 9 if count < 10_000 else 7
            axes.text(j, i, str(count), ha="center", va="center", fontsize=size, color="white" if dark else "black")


def _label_ticks(axes: Axes, names: list[str], totals: np.ndarray, inches: float) -> None:
    count = len(names)
    ticks = np.arange(0, count, math.ceil(count / NAMED_CLASSES))
    shown = [names[i] for i in ticks]
    size = 9 if count <= COUNTED_CLASSES else 7
    fitting = inches * 0.75 * 72 / count / (0.65 * size)  # letters of 0.65 of their height, in a cell
    upright = max(map(len, shown)) > fitting
    axes.set_xticks(ticks, shown, fontsize=size, rotation=90 if upright else 0)
    with_totals = [f"{n} ({totals[i]})" if count <= COUNTED_CLASSES else n for i, n in zip(ticks, shown, strict=True)]
    axes.set_yticks(ticks, with_totals, fontsize=size)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#E4E4E4", linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color("#C8C8C8")


def _confusion_title(counts: np.ndarray, classes: Sequence[str]) -> str:
    total = counts.sum()
    if total == 0:
        return "No samples"
    wrong = counts * (1 - np.eye(len(counts), dtype=int))
    accuracy = f"Accuracy {percent(1 - wrong.sum() / total)}"
    if not wrong.any():
        return f"{accuracy}; nothing confused"
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    return f"{accuracy}; most confused:\n{short(classes[i], 24)} → {short(classes[j], 24)} ({wrong[i, j]})"


def reliability_diagram(confidence: Any, correct: Any, bins: int = 15) -> Figure:
    """Draw a reliability diagram: accuracy by confidence, and the number of samples in each bin.

    ECE, the expected calibration error, is the mean distance of accuracy from confidence over bins of equal width,
    weighted by their samples.
    """
    confidence, correct = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    mean = np.bincount(place, confidence, bins) / np.maximum(count, 1)
    right = np.bincount(place, correct, bins) / np.maximum(count, 1)
    ece = float(np.sum(count * abs(right - mean)) / max(len(confidence), 1))

    figure = new_figure(5.4, 6.4)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    width, filled = 1 / bins, count > 0
    left = edges[:-1][filled]
    top.bar(left, right[filled], width, align="edge", color=BLUE, edgecolor="white", label="accuracy")
    for sign, color, label in ((1, "#F4CBB0", "gap: overconfident"), (-1, "#A6DCCB", "gap: underconfident")):
        gap = np.maximum(sign * (mean - right), 0)[filled]
        base = np.minimum(mean, right)[filled]
        top.bar(
            left, gap, width, base, align="edge", color=color, edgecolor=GRAY, hatch="///", linewidth=0, label=label
        )
    top.plot([0, 1], [0, 1], "--", color=GRAY, linewidth=1, label="perfectly calibrated")
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    top.legend(loc="upper left", frameon=False, fontsize=9)
    below.bar(edges[:-1], count, width, align="edge", color=GRAY, edgecolor="white")
    below.set(xlabel="confidence", ylabel="samples")
    for axes in (top, below):
        style(axes)
    set_title(top, _calibration_title(ece, confidence, correct))
    return figure


def _calibration_title(ece: float, confidence: np.ndarray, correct: np.ndarray) -> str:
    if not len(confidence):
        return "No samples"
    excess = float(confidence.mean() - correct.mean()) * 100
    if abs(excess) < 1:
        verdict = "well calibrated"
    else:
        verdict = f"{'over' if excess > 0 else 'under'}confident by {abs(excess):.1f} points"
    means = f"accuracy {percent(correct.mean())}, mean confidence {percent(confidence.mean())}"
    return f"ECE {ece * 100:.1f} %: {verdict}\n{means}"


def predicted_vs_true(predicted: Any, true: Any, names: Sequence[str] = ()) -> Figure:
    """Draw predicted against true values, one panel for each output; the dashed line is the identity."""
    predicted, true = (_columns(v) for v in (predicted, true))
    outputs = min(predicted.shape[1], PANELS)
    columns = panel_columns(outputs)
    figure = new_figure(4.9 * columns + 0.3, 4.7 * math.ceil(outputs / columns))
    grid = figure.subplots(math.ceil(outputs / columns), columns, squeeze=False)
    for k, axes in enumerate(grid.flat):
        if k < outputs:
            _draw_agreement(axes, predicted[:, k], true[:, k], names[k] if k < len(names) else "")
        else:
            axes.set_axis_off()
    return figure


def _columns(values: Any) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array.reshape(len(array), -1)


def _draw_agreement(axes: Axes, predicted: np.ndarray, true: np.ndarray, name: str) -> None:
    finite = np.isfinite(predicted) & np.isfinite(true)
    predicted, true = predicted[finite], true[finite]
    if not len(true):
        set_title(axes, f"{name}: no finite predictions" if name else "No finite predictions")
        return
    low, high = min(predicted.min(), true.min()), max(predicted.max(), true.max())
    margin = 0.04 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    if len(true) > POINTS:
        drawn = axes.hexbin(true, predicted, gridsize=45, bins="log", mincnt=1, cmap="cividis_r", extent=(*ends, *ends))
        axes.figure.colorbar(drawn, ax=axes, label="samples", shrink=0.8)
    else:
        axes.scatter(true, predicted, s=16 if len(true) > 300 else 26, color=BLUE, alpha=0.45, linewidths=0)
    axes.plot(ends, ends, "--", color=GRAY, linewidth=1.2)
    axes.set(xlim=ends, ylim=ends, xlabel="true", ylabel="predicted", aspect="equal")
    style(axes)
    rmse = math.sqrt(np.mean((predicted - true) ** 2))
    spread = np.var(true)
    r2 = f"R² {1 - rmse**2 / spread:.3f}" if spread > 0 else "R² undefined"
    set_title(axes, f"{short(name, 24)}: {r2}, RMSE {rmse:.4g}" if name else f"{r2}, RMSE {rmse:.4g}")


def panel_columns(count: int) -> int:
    """Return in how many columns panels stand: three at most, and four panels in a square."""
    return 2 if count == 4 else min(max(count, 1), 3)


def style(axes: Axes) -> None:
    """Leave a plot the axes that carry numbers, and a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E8E8E8", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)
