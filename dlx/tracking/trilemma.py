"""The trilemma of generative learning: quality, sampling speed and coverage of the samples of several runs.

Source: Xiao, Kreis & Vahdat 2022, arXiv:2112.07804.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlx.component import leaf_class, types
from dlx.tracking.comparison import SAMPLING_SECONDS, resolved_recipe, run_metrics


@dataclass(frozen=True)
class Measure:
    """A metric that all runs have with the same settings, and each one's value on the test split."""

    name: str
    better: str
    values: list[float]

    @property
    def label(self) -> str:
        """The metric's name, and which values of it are better."""
        return f"{self.name}, {self.better} is better"


@dataclass(frozen=True)
class Trilemma:
    """Quality, coverage and seconds of runs that make samples; seconds are those of 64 samples."""

    seconds: list[float]
    quality: Measure
    coverage: Measure

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def trilemma(folders: Sequence[Path]) -> Trilemma | None:
    """Return what runs have in common by which their samples can be compared; None if it does not suffice."""
    metrics = [run_metrics(folder) for folder in folders]
    asked = [_requested_metrics(resolved_recipe(folder)) for folder in folders]
    quality, coverage = (_common_measure(aspect, asked, metrics) for aspect in ("quality", "coverage"))
    seconds = [found[SAMPLING_SECONDS] for found in metrics if SAMPLING_SECONDS in found]
    if quality is None or coverage is None or len(seconds) < len(folders):
        return None
    return Trilemma(seconds, quality, coverage)


def _requested_metrics(recipe: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the metrics that a recipe's task asks for, by name."""
    found: Any = recipe["task"].get("metrics")
    return found if isinstance(found, dict) else {}


def _common_measure(
    aspect: str, asked: Sequence[Mapping[str, Mapping[str, Any]]], metrics: Sequence[Mapping[str, float]]
) -> Measure | None:
    first, *others = asked
    for name, spec in first.items():
        leaf: Any = leaf_class("metrics", spec["type"]) if spec["type"] in types("metrics") else None
        values = [found[f"test/{name}"] for found in metrics if f"test/{name}" in found]
        alike = all(other.get(name) == spec for other in others)
        if leaf is not None and leaf.aspect == aspect and alike and len(values) == len(metrics):
            return Measure(name, "higher" if leaf.higher_is_better else "lower", values)
    return None
