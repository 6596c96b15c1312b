"""What tasks share that make samples out of noise: what is measured of these, beside samples of the data."""

from __future__ import annotations

from pydantic import Field

from dlx.component import Named
from dlx.diagnostic import Loc
from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.tasks import Task

MADE = "samples"


class Generative(Task):
    """A task whose module makes samples."""

    metrics: Named[Metric] = Field({}, validate_default=True)
    """What is measured on val and test of samples that are made, such as mmd."""

    @property
    def is_conditional(self) -> bool:
        """Whether classes are read: only where a metric, or a network, asks for them."""
        return any(metric.by_class for metric in self.metrics.values())

    @property
    def target_kind(self) -> str | None:  # type: ignore[override]
        """Classes, where they are read."""
        return "classes" if self.is_conditional else None

    def of_samples(self) -> dict[str, str]:
        """Return what is measured of samples: name → "higher" or "lower" is better."""
        return {name: metric.better for name, metric in self.metrics.items() if metric.scalar}

    def problems(self, facts: DataFacts) -> list[ShapeError]:
        foreign = [(name, metric) for name, metric in self.metrics.items() if MADE not in metric.kinds]
        found = [ShapeError(f"{m.type} judges predictions, not samples", ("metrics", name)) for name, m in foreign]
        if self.is_conditional and (len(facts.classes) < 2 or facts.multilabel):
            asking: list[Loc] = [("metrics", name) for name, metric in self.metrics.items() if metric.by_class]
            loc = asking[0] if asking else ("conditional",)
            found.append(ShapeError("needs one of several classes for every sample", loc))
        return found
