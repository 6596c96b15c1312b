"""Learning curves: every metric over epochs, train and val in one panel, and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dlx.figures.base import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    PANELS,
    Curve,
    new_figure,
    panel_columns,
    set_title,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLIT_COLORS = {"train": BLUE, "val": ORANGE, "test": GREEN}
SMOOTHED_FROM = 80  # training curves with more points are drawn with a running mean
LR = "lr"


@dataclass(frozen=True)
class Epochs:
    """What turns steps into epochs, and which of them is the best; without a length, steps are drawn.

    length  steps in an epoch
    best    the epoch of the best checkpoint, from 1; None where the last is
    """

    length: float | None = None
    best: int | None = None

    @property
    def unit(self) -> str:
        """What the axis counts."""
        return "epoch" if self.length else "step"

    def place(self, steps: np.ndarray) -> np.ndarray:
        """Return where steps lie on the axis."""
        return steps / self.length if self.length else steps


@dataclass(frozen=True)
class Panel:
    """The curves of one metric, by split; in the panel of the learning rate by what has it."""

    metric: str
    curves: Mapping[str, Curve]
    direction: str | None
    epochs: Epochs = field(default_factory=Epochs)


def learning_curves(
    history: Mapping[str, Curve], better: Mapping[str, str] | None = None, epochs: Epochs | None = None
) -> Figure:
    """Draw every metric over the epochs, train and val in one panel, the test result as a dotted line.

    `history` holds (step, value) pairs by name, such as `val/loss`; those of `lr` or `lr/<network>` are learning rates.
    `better` says for metrics other than losses whether "higher" or "lower" values are; only then is the best
    marked.
    """
    panels = _panels(history, better or {}, epochs or Epochs())
    columns = panel_columns(len(panels))
    rows = max(math.ceil(len(panels) / columns), 1)
    figure = new_figure(4.8 * columns + 0.4, 3.5 * rows + 0.2)
    for axes, panel in zip(figure.subplots(rows, columns, squeeze=False).flat, panels, strict=False):
        _draw_panel(axes, panel)
    for axes in figure.axes[len(panels) :]:
        axes.set_axis_off()
    return figure


def _panels(history: Mapping[str, Curve], better: Mapping[str, str], epochs: Epochs) -> list[Panel]:
    """Return the panels in order: the loss, other metrics, and the learning rate at last."""
    grouped: dict[str, dict[str, Curve]] = {}
    rates = {name.removeprefix("lr/"): c for name, c in history.items() if name == LR or name.startswith("lr/")}
    for name, curve in history.items():
        split, _, metric = name.rpartition("/")
        if len(curve) and split != LR and name != LR:
            grouped.setdefault(metric, {})[split] = curve
    names = sorted(grouped, key=lambda m: (m != "loss", "" in grouped[m], m))[: PANELS - bool(rates)]
    found = [Panel(m, grouped[m], "lower" if m.endswith("loss") else better.get(m), epochs) for m in names]
    return [*found, *([Panel(LR, rates, None, epochs)] if rates else [])]


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for split, curve in panel.curves.items():
        _draw_curve(axes, panel, split, *np.asarray(curve, dtype=float).T)
    everything = np.concatenate([np.asarray(c, dtype=float)[:, 1] for c in panel.curves.values()])
    if panel.metric.endswith("loss") and _spans_decades(everything, 2):
        axes.set_yscale("log")
    words = _rate_title(panel) if panel.metric == LR else _mark_best(axes, panel)
    if panel.epochs.best is not None and panel.epochs.length:
        axes.axvline(panel.epochs.best, color="black", linestyle="--", linewidth=1, zorder=0, label="best checkpoint")
    axes.set(xlabel=panel.epochs.unit)
    style(axes)
    set_title(axes, words)
    axes.legend(frameon=False, fontsize=9)


def _draw_curve(axes: Axes, panel: Panel, split: str, steps: np.ndarray, values: np.ndarray) -> None:
    color, label, places = SPLIT_COLORS.get(split), split or panel.metric, panel.epochs.place(steps)
    if color is None and panel.metric != LR:
        color = GRAY
    if split == "test":
        axes.axhline(values[-1], color=color, linestyle=":", linewidth=1.6, label=f"test {values[-1]:.4g}")
    elif split == "train" and len(values) >= SMOOTHED_FROM:
        axes.plot(places, values, color=color, linewidth=0.8, alpha=0.3)
        axes.plot(places, _running_mean(values), color=color, linewidth=1.8, label=label)
    else:
        marker = "o" if len(values) <= 30 else None
        axes.plot(places, values, color=color, linewidth=1.8, marker=marker, markersize=3, label=label)


def _mark_best(axes: Axes, panel: Panel) -> str:
    """Return what the curve of val, or else of train, comes to, and mark its best point where one is known."""
    split = next(s for s in ("val", "train", *panel.curves) if s in panel.curves)
    steps, values = np.asarray(panel.curves[split], dtype=float).T
    name = f"{panel.metric}: {split}" if split else panel.metric
    if not np.isfinite(values).any():
        return f"{name} is never finite"
    if panel.direction is None or len(values) == 1:
        return f"{name} ends at {values[-1]:.4g}"
    best = int(np.nanargmin(values) if panel.direction == "lower" else np.nanargmax(values))
    place = float(panel.epochs.place(steps[best]))
    axes.plot(place, values[best], "o", markersize=9, markerfacecolor="none", markeredgecolor="black")
    return f"{name} best {values[best]:.4g} at {panel.epochs.unit} {place:.4g}"


def _rate_title(panel: Panel) -> str:
    lowest, highest = (f([value for curve in panel.curves.values() for _, value in curve]) for f in (min, max))
    return f"learning rate {lowest:.3g}" if lowest == highest else f"learning rate from {lowest:.3g} to {highest:.3g}"


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over a centered window of a twentieth of the curve, narrower at its ends."""
    half = max(len(values) // 40, 1)
    total = np.concatenate([[0.0], np.cumsum(values)])
    right, left = (np.clip(np.arange(len(values)) + k, 0, len(values)) for k in (half + 1, -half))
    return np.asarray((total[right] - total[left]) / (right - left))


def _spans_decades(values: np.ndarray, decades: float) -> bool:
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() / finite.min() > 10**decades)
