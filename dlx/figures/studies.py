"""Figures of studies: how a search went, what its parameters do, and how variants compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.figures.base import BLUE, GRAY, GREEN, ORANGE, new_figure, set_title, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = Mapping[str, Any]
LOG_FROM = 50.0
"""Ratio of the largest to the smallest value from which on an axis is logarithmic."""
UNITS = {"samples": "samples of train", "compute": "compute (FLOP)"}
SHOWN = 9
"""Parameters that are drawn at most."""


def search_history(numbers: Sequence[int], values: Sequence[float], metric: str, maximize: bool) -> Figure:
    """Draw what came of each trial, and the best value so far."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(7.5, 4)
    axes = figure.add_subplot()
    best = (np.maximum if maximize else np.minimum).accumulate(np.asarray(values))
    axes.plot(numbers, values, "o", color=GRAY, markersize=4, alpha=0.7, label="trials")
    axes.step(numbers, best, where="post", color=BLUE, linewidth=2, label="best so far")
    at = int(np.argmax(best == best[-1]))
    axes.plot(numbers[at], best[at], "*", color=ORANGE, markersize=14, label=f"trial {numbers[at]}")
    axes.set(xlabel="trial", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    _style(axes)
    set_title(axes, f"Best {metric}: {best[-1]:.4g}, found in trial {numbers[at]} of {len(numbers)}")
    return figure


def parameter_slices(points: Sequence[Point], values: Sequence[float], metric: str, maximize: bool) -> Figure:
    """Draw every parameter against the metric, later trials darker."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    names = _names(points)
    columns = min(3, len(names))
    figure = new_figure(max(3.6 * columns + 0.6, 6.4), 3.0 * -(-len(names) // columns))  # no narrower than its title
    grid = figure.subplots(-(-len(names) // columns), columns, squeeze=False, sharey=True)
    drawn: Any = None
    blues = ListedColormap(colormaps["Blues"](np.linspace(0.25, 1, 256)))
    for axes, name in zip(grid.flat, names, strict=False):
        having = [i for i, point in enumerate(points) if name in point]
        places, labels = _places([points[i][name] for i in having])
        found = np.asarray([values[i] for i in having])
        drawn = axes.scatter(places, found, c=having, cmap=blues, vmin=0, vmax=len(points) - 1, s=22, linewidths=0)
        best = having[int(np.argmax(found) if maximize else np.argmin(found))]
        axes.plot(places[having.index(best)], values[best], "*", color=ORANGE, markersize=12)
        _scale(axes, places, labels)
        axes.set_xlabel(short(name, 34), fontsize=9)
        _style(axes)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(metric)
    figure.colorbar(drawn, ax=figure.axes, label="trial", shrink=0.7)
    figure.suptitle("What each parameter does (the star is the best trial)", x=0.01, ha="left", fontweight="bold")
    return figure


def parallel_coordinates(points: Sequence[Point], values: Sequence[float], metric: str, maximize: bool) -> Figure:
    """Draw each trial as a line through its parameters to its value; the best are the most visible."""
    names = [name for name in _names(points) if all(name in point for point in points)]
    figure = new_figure(1.7 * (len(names) + 1) + 1.5, 4.4)
    axes = figure.add_subplot()
    columns = [_unit([point[name] for point in points]) for name in names]
    shares, low, high = _unit_of_numbers(values)
    height_TP = np.stack([*[column for column, _ in columns], shares], axis=1)
    rank = shares if maximize else 1 - shares
    for i in np.argsort(rank):
        shade: Any = {"color": ORANGE if rank[i] == rank.max() else BLUE, "alpha": 0.12 + 0.8 * float(rank[i]) ** 2}
        axes.plot(height_TP[i], linewidth=2.4 if rank[i] == rank.max() else 1, **shade)
    ends = [*[labels for _, labels in columns], (f"{low:.4g}", f"{high:.4g}")]
    for place, (bottom, top) in enumerate(ends):
        axes.axvline(place, color=GRAY, linewidth=0.8)
        axes.text(place, -0.03, short(bottom, 14), ha="center", va="top", fontsize=8)
        axes.text(place, 1.03, short(top, 14), ha="center", va="bottom", fontsize=8)
    titles = [short(name.rpartition(".")[2], 18) for name in names]
    axes.set_xticks(range(len(names) + 1), [*titles, metric], fontsize=9)
    axes.tick_params(length=0, pad=18)
    axes.set(yticks=[], ylim=(-0.02, 1.02))
    axes.spines[:].set_visible(False)
    set_title(axes, "Trials through their parameters; the best is orange\n")
    return figure


def importances(shares: Mapping[str, float], metric: str) -> Figure:
    """Draw the importance of each parameter: its share of the metric's variance (fANOVA)."""
    ordered = sorted(shares.items(), key=lambda item: item[1])[-SHOWN:]
    figure = new_figure(7, 1.2 + 0.4 * len(ordered))
    axes = figure.add_subplot()
    axes.barh([short(name, 34) for name, _ in ordered], [share for _, share in ordered], color=BLUE)
    for place, (_, share) in enumerate(ordered):
        axes.text(share + 0.01, place, f"{share:.2f}", va="center", fontsize=9)
    axes.set(xlim=(0, 1.08), xlabel=f"share of the variance of {metric} (fANOVA)")
    _style(axes)
    set_title(axes, f"{ordered[-1][0]} matters most" if ordered else "No parameter could be compared")
    return figure


def rungs(epochs: Sequence[int], values: Mapping[int, Sequence[float]], metric: str) -> Figure:
    """Draw what each trial had at the rungs that it reached; `epochs` are those of the rungs, and of the end."""
    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    farthest = max((len(found) for found in values.values()), default=0)
    for found in sorted(values.values(), key=len):
        last = len(found) == farthest
        axes.plot(
            epochs[: len(found)], found, "o-", color=BLUE if last else GRAY, alpha=0.9 if last else 0.45, markersize=4
        )
    axes.set(xlabel="epoch", ylabel=metric)
    axes.set_xticks(list(epochs))
    _style(axes)
    counts = [sum(len(found) > i for found in values.values()) for i in range(len(epochs))]
    set_title(axes, "Trials at each rung: " + " → ".join(map(str, counts)))
    return figure


def comparison(
    values: Mapping[str, Sequence[float]], intervals: Mapping[str, tuple[float, float, float]], metric: str, base: str
) -> Figure:
    """Draw every training of every variant, and the interval of each mean: `intervals` are mean, low and high."""
    names = list(values)[::-1]
    figure = new_figure(7.5, 1.3 + 0.55 * len(names))
    axes = figure.add_subplot()
    for place, name in enumerate(names):
        mean, low, high = intervals[name]
        color = GRAY if name == base else BLUE
        axes.plot(values[name], [place] * len(values[name]), "|", color=color, markersize=12, alpha=0.6)
        if math.isfinite(low) and math.isfinite(high):
            axes.plot([low, high], [place, place], color=color, linewidth=3, solid_capstyle="butt")
        axes.plot(mean, place, "o", color=color, markersize=7)
    axes.axvline(intervals[base][0], color=GRAY, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), [short(name, 24) for name in names])
    axes.set(xlabel=metric, ylim=(-0.6, len(names) - 0.4))
    _style(axes)
    set_title(axes, f"{metric}: mean and interval of each variant")
    return figure


def differences(found: Mapping[str, tuple[float, float, float]], apart: Mapping[str, bool], metric: str) -> Figure:
    """Draw the paired difference of each variant to the base: mean, low and high; green where it is significant."""
    names = list(found)[::-1]
    figure = new_figure(7.5, 1.3 + 0.5 * len(names))
    axes = figure.add_subplot()
    for place, name in enumerate(names):
        mean, low, high = found[name]
        color = GREEN if apart[name] else GRAY
        axes.plot([low, high], [place, place], color=color, linewidth=3, solid_capstyle="butt")
        axes.plot(mean, place, "o", color=color, markersize=7)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), [short(name, 24) for name in names])
    axes.set(xlabel=f"paired difference of {metric} to base", ylim=(-0.6, len(names) - 0.4))
    _style(axes)
    significant = [name for name in found if apart[name]]
    set_title(axes, f"Significantly different from base: {', '.join(significant) or 'none'}")
    return figure


def power_laws(laws: Mapping[str, Any], metric: str) -> Figure:
    """Draw power laws as lines in logarithmic axes: all trials, those that were fitted, and the exponent's interval."""
    from matplotlib.ticker import ScalarFormatter

    figure = new_figure(4.2 * len(laws) + 0.6, 3.8)
    panels = figure.subplots(1, len(laws), squeeze=False, sharey=True)[0]
    for axes, (name, law) in zip(panels, laws.items(), strict=True):
        axes.plot(*zip(*law.others, strict=True), "o", color=GRAY, markersize=4, alpha=0.6, label="trials")
        axes.plot(law.x, law.loss, "o", color=BLUE, markersize=6, label="best for its cost")
        line = np.geomspace(law.x[0], law.x[-1], 64)
        axes.plot(line, [law.at(x) for x in line], color=ORANGE, linewidth=2, label="fit")
        pivot = math.exp(float(np.mean(np.log(law.x))))  # the line turns about the middle of its points
        ends = [law.at(pivot) * (line / pivot) ** -slope for slope in (law.low, law.high)]
        axes.fill_between(line, np.minimum(*ends), np.maximum(*ends), color=ORANGE, alpha=0.2, linewidth=0)
        axes.set(xscale="log", yscale="log", xlabel=UNITS.get(name, name))
        set_title(axes, f"exponent {law.exponent:.3f} [{law.low:.3f}, {law.high:.3f}]")
        _style(axes)
    panels[0].set_ylabel(metric)
    panels[0].yaxis.set_major_formatter(ScalarFormatter())  # 3, not 3 × 10⁰
    panels[0].yaxis.set_minor_formatter(ScalarFormatter())
    panels[0].legend(frameon=False)
    return figure


def _names(points: Sequence[Point]) -> list[str]:
    """Return the parameters that vary."""
    names = dict.fromkeys(name for point in points for name in point)
    return [n for n in names if len({repr(point[n]) for point in points if n in point}) > 1][:SHOWN]


def _places(values: Sequence[Any]) -> tuple[list[float], list[str]]:
    """Return where values lie on an axis, and the names of its ticks where they are no numbers."""
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return [float(v) for v in values], []
    labels = sorted({str(v) for v in values})
    return [float(labels.index(str(v))) for v in values], labels


def _scale(axes: Axes, places: Sequence[float], labels: Sequence[str]) -> None:
    if labels:
        axes.set_xticks(range(len(labels)), [short(label, 12) for label in labels], fontsize=8)
        axes.set_xlim(-0.5, len(labels) - 0.5)
    elif _is_logarithmic(places):
        axes.set_xscale("log")


def _is_logarithmic(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) >= LOG_FROM


def _unit(values: Sequence[Any]) -> tuple[np.ndarray, tuple[str, str]]:
    """Return values scaled to [0, 1] on their own scale, and what lies at both ends."""
    places, labels = _places(values)
    if labels:
        return np.asarray(places) / max(1, len(labels) - 1), (labels[0], labels[-1])
    scaled = np.log(places) if _is_logarithmic(places) else np.asarray(places)
    shares, _, _ = _unit_of_numbers(scaled)
    return shares, (f"{min(places):.3g}", f"{max(places):.3g}")


def _unit_of_numbers(values: Any) -> tuple[np.ndarray, float, float]:
    numbers = np.asarray(values, dtype=float)
    low, high = float(numbers.min()), float(numbers.max())
    return (numbers - low) / ((high - low) or 1.0), low, high


def _style(axes: Axes) -> None:
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
