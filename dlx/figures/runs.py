"""Figures that compare runs: learning curves over each other; sample quality against sampling speed and coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlx.figures.base import Curve, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXIS_MARGIN = 1.5**3  # factor by which the axis of seconds extends beyond the fastest and the slowest run


def compared_curves(curves: Mapping[str, Mapping[str, Curve]]) -> Figure | None:
    """Draw the learning curves of several runs over each other, one panel a metric; None if there are no curves.

    curves  for every run its (step, value) pairs by metric
    """
    metrics = sorted({metric for of_run in curves.values() for metric in of_run})
    if not metrics:
        return None
    columns = min(2, len(metrics))
    rows = math.ceil(len(metrics) / columns)
    figure = new_figure(6 * columns, 3.5 * rows)
    for place, metric in enumerate(metrics, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for i, (run, of_run) in enumerate(curves.items()):
            if metric in of_run:
                steps, values = zip(*of_run[metric], strict=True)
                axes.plot(steps, values, label=run, color=f"C{i}", linewidth=1.4)
        axes.set_title(metric, loc="left", fontsize=10)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    figure.legend(*_legend(figure, list(curves)), loc="outside lower center", ncols=min(4, len(curves)))
    return figure


def _legend(figure: Figure, runs: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Return one line for every run, from whichever panel has it."""
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    names = [run for run in runs if run in lines]
    return [lines[run] for run in names], names


def quality_against_speed(
    runs: Sequence[str], seconds: Sequence[float], quality: tuple[str, Sequence[float]], coverage: tuple[str, Any]
) -> Figure:
    """Draw sample quality against sampling time, with coverage as the color of each run's point.

    quality, coverage  a label and one value for each run
    """
    figure = new_figure(7, 4.5)
    axes = figure.add_subplot()
    shade: Any = {"c": coverage[1], "vmin": 0, "vmax": max(coverage[1]) or 1, "cmap": "viridis"}
    points = axes.scatter(seconds, quality[1], s=160, edgecolors="black", **shade)
    for run, x, y in zip(runs, seconds, quality[1], strict=True):
        axes.annotate(run, (x, y), xytext=(0, 11), textcoords="offset points", ha="center", fontsize=9)
    axes.set_xscale("log")
    axes.set(xlim=(min(seconds) / AXIS_MARGIN, max(seconds) * AXIS_MARGIN))
    axes.margins(y=0.2)
    axes.set(xlabel="seconds for 64 samples", ylabel=quality[0])
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.colorbar(points, ax=axes, label=coverage[0], shrink=0.9)
    axes.set_title("Samples: quality, speed, coverage", loc="left", fontsize=11, fontweight="bold")
    return figure
