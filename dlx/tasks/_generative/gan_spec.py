"""What tasks share in which one network makes samples and another tells them from the data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import Field

from dlx.component import Named
from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.metrics import Metric
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Role, UnfitSetting
from dlx.tasks._base.heads import Head, ended, numbers
from dlx.tasks._generative.spec import Generative
from dlx.tensors import TensorSpec

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
COLLAPSED = 0.5
"""Diversity below which a generator is said to have collapsed."""


class Adversarial(Generative):
    """A task with a generator, from noise to a sample, and a discriminator, from a sample to one number."""

    default_role: ClassVar[str] = GENERATOR
    memorizes: ClassVar[bool] = False
    embedding_description: ClassVar[str] = "what the last layer of the discriminator receives"
    needs_full_parameters: ClassVar[bool] = True
    latent_dim: int = Field(64, gt=0)
    """Numbers drawn from N(0, 1) of which the generator makes a sample."""
    critic_steps: int = Field(1, gt=0)
    """Steps of the discriminator, each with a batch of its own, for one of the generator."""
    conditional: bool = False
    """Whether both networks are told the class, as `label` in their context."""
    metrics: Named[Metric] = Field(
        {"mmd": {}, "generative_precision": {}, "generative_recall": {}, "diversity": {}}, validate_default=True
    )  # type: ignore[assignment]
    """What is measured on val and test, of as many samples that are made as the split has; the first of them chooses
    the best checkpoint.
    """
    head: Head = "auto"
    """`auto` ends each network in the shape that it needs; `none` where the models themselves do."""

    @property
    def is_conditional(self) -> bool:
        return self.conditional or super().is_conditional

    @property
    def monitor(self) -> str:  # type: ignore[override]
        """The metric by which the best checkpoint is chosen."""
        return f"val/{next(iter(self.metrics), 'loss')}"

    @property
    def monitor_mode(self) -> str:  # type: ignore[override]
        """Whether "min" or "max" of it is best."""
        first = next(iter(self.metrics.values()), None)
        return "max" if first is not None and first.higher_is_better else "min"

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        x = numbers(facts, self.type)
        told = {"label": TensorSpec((), "", "int64", vocab=(len(facts.classes),))} if self.conditional else {}
        return {
            GENERATOR: Role(TensorSpec((self.latent_dim,), "F", context=told), TensorSpec(x.dims, x.axes)),
            DISCRIMINATOR: Role(x.replace(context=told), TensorSpec((1,), "F")),
        }

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        wanted = self.roles(facts)[role]
        assert wanted.output is not None
        return ended(model, wanted.input, wanted.output, self.head)

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return self.of_samples()

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if not self.metrics:
            yield UnfitSetting.at("a GAN needs a metric, by which the best checkpoint is chosen", "metrics")

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return how much the discriminator takes each sample for one of the data."""
        return {"score": values[:, 0].tolist()}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.figures.samples import clouds, sheet, strips

        made = outputs.made["made"]
        if made.ndim == 4:
            ways = outputs.made["interpolation"]
            return {
                "samples": sheet(made, f"{len(made)} samples of noise"),
                "interpolation": strips(ways, [""] * len(ways), "From one noise to another, along an arc"),
            }
        if made.ndim == 2 and made.shape[1] >= 2:
            return {"samples": clouds(outputs.values["real"], made, f"{len(made)} samples of noise, over the data")}
        return {}
