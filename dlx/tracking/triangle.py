"""Runs that make samples beside each other: how good these are, how fast they come, how much of the data they cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlx.component import leaf_class, types
from dlx.tracking.comparison import SAMPLING_SECONDS, metrics_of, recipe_of

FARTHEST = 1.5  # by which factor the axis of seconds goes beyond the fastest and the slowest run


@dataclass(frozen=True)
class Measure:
    """A metric that all runs have with the same settings, and each one's value on the test split."""

    name: str
    better: str
    values: list[float]


@dataclass(frozen=True)
class Triangle:
    """Quality, coverage and seconds of runs that make samples; seconds are those of 64 samples."""

    seconds: list[float]
    quality: Measure
    coverage: Measure

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def triangle(folders: Sequence[Path]) -> Triangle | None:
    """Return what runs have in common by which their samples can be compared; None if it does not suffice."""
    metrics = [metrics_of(folder) for folder in folders]
    asked = [_asked(recipe_of(folder)) for folder in folders]
    quality, coverage = (_measure(tells, asked, metrics) for tells in ("quality", "coverage"))
    seconds = [found[SAMPLING_SECONDS] for found in metrics if SAMPLING_SECONDS in found]
    if quality is None or coverage is None or len(seconds) < len(folders):
        return None
    return Triangle(seconds, quality, coverage)


def _asked(recipe: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the metrics that a recipe's task asks for, by name."""
    found: Any = recipe["task"].get("metrics")
    return found if isinstance(found, dict) else {}


def _measure(
    tells: str, asked: Sequence[Mapping[str, Mapping[str, Any]]], metrics: Sequence[Mapping[str, float]]
) -> Measure | None:
    first, *others = asked
    for name, spec in first.items():
        leaf: Any = leaf_class("metrics", spec["type"]) if spec["type"] in types("metrics") else None
        values = [found[f"test/{name}"] for found in metrics if f"test/{name}" in found]
        alike = all(other.get(name) == spec for other in others)
        if leaf is not None and leaf.tells == tells and alike and len(values) == len(metrics):
            return Measure(name, leaf.better, values)
    return None


def draw(found: Triangle, runs: Sequence[str], path: Path) -> None:
    """Draw quality against seconds, and coverage as the colour of each run's point, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    shade: Any = {"c": found.coverage.values, "vmin": 0, "vmax": max(found.coverage.values) or 1, "cmap": "viridis"}
    points = axes.scatter(found.seconds, found.quality.values, s=160, edgecolors="black", **shade)
    for run, x, y in zip(runs, found.seconds, found.quality.values, strict=True):
        axes.annotate(run, (x, y), xytext=(0, 11), textcoords="offset points", ha="center", fontsize=9)
    axes.set_xscale("log")
    axes.set(xlim=(min(found.seconds) / FARTHEST**3, max(found.seconds) * FARTHEST**3))
    axes.margins(y=0.2)
    axes.set(xlabel="seconds for 64 samples", ylabel=f"{found.quality.name}, {found.quality.better} is better")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    bar = f"{found.coverage.name}, {found.coverage.better} is better"
    figure.colorbar(points, ax=axes, label=bar, shrink=0.9)
    axes.set_title("Samples: quality, speed, coverage", loc="left", fontsize=11, fontweight="bold")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
