"""Generative models: samples from noise, compared with data by metrics. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from dlx.component import Component, Named
from dlx.diagnostic import Loc
from dlx.facts import DataFacts
from dlx.metrics import Metric, UnfitMetric
from dlx.rules import CheckContext, Problem
from dlx.tasks import Task, UnfitData

SAMPLES = "samples"


class Generative(Task):
    """A task whose module generates samples."""

    metrics: Named[Metric] = Field({}, validate_default=True)
    """What is measured on val and test of generated samples, such as mmd."""

    @property
    def is_conditional(self) -> bool:
        """Whether classes are read: only where a metric, or a network, asks for them."""
        return any(metric.needs_classes for metric in self.metrics.values())

    @property
    def target_kind(self) -> str | None:  # type: ignore[override]
        """Classes, where they are read."""
        return "classes" if self.is_conditional else None

    def generated_metric_names(self) -> dict[str, str]:
        """Return the metrics of generated samples: name → "higher" or "lower" is better."""
        return {name: metric.direction for name, metric in self.metrics.items()}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        facts = context.facts
        for name in (name for name, metric in self.metrics.items() if SAMPLES not in metric.target_kinds):
            yield UnfitMetric.at(f"{self.metrics[name].type} compares predictions, not samples", "metrics", name)
        if self.is_conditional and (len(facts.classes) < 2 or facts.multilabel):
            asking: list[Loc] = [("metrics", name) for name, metric in self.metrics.items() if metric.needs_classes]
            loc = asking[0] if asking else ("conditional",)
            yield UnfitData.at("needs one of several classes for every sample", *loc)

    def target_facts(self, component: Component, facts: DataFacts) -> None:
        return None
