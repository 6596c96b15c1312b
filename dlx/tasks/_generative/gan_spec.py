"""Generative adversarial networks: a generator of samples, and a discriminator of samples and data. Torch-free."""

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
from dlx.schedules import TrainingLength
from dlx.tasks import Role, UnfitSetting
from dlx.tasks._base.heads import HeadChoice, numeric_input, reshaping_network
from dlx.tasks._generative.spec import Generative
from dlx.tensors import TensorSpec

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
COLLAPSED = 0.5
"""Diversity below which a generator is said to have collapsed."""


class Adversarial(Generative):
    """A task with a generator, from noise to a sample, and a discriminator, from a sample to one number."""

    default_role: ClassVar[str] = GENERATOR
    export_refusal: ClassVar[str | None] = "it generates samples, and predicts nothing of those that it is given"
    embedding_description: ClassVar[str] = "the input of the discriminator's last layer"
    needs_full_parameters: ClassVar[bool] = True
    latent_dim: int = Field(64, gt=0)
    """Size of the noise from N(0, I) that the generator maps to a sample (latent vector)."""
    critic_steps: int = Field(1, gt=0)
    """Optimizer steps of the discriminator, each with a batch of its own, for one of the generator."""
    conditional: bool = False
    """Whether both networks are conditioned on the class, as `label` in their context."""
    metrics: Named[Metric] = Field(
        {"mmd": {}, "generative_precision": {}, "generative_recall": {}, "diversity": {}}, validate_default=True
    )  # type: ignore[assignment]
    """What is measured on val and test, of as many generated samples as the split has; the first of them chooses the
    best checkpoint.
    """
    head: HeadChoice = "auto"
    """Last layers of the networks: `auto` brings features into the required shape; `none` where models end in it."""

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

    @property
    def learning_metric(self) -> str:
        return next(iter(self.metrics), "loss")

    def role_length(self, role: str, length: TrainingLength) -> TrainingLength:
        return length.every(self.critic_steps) if role == GENERATOR else length

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        x = numeric_input(facts, self.type)
        context = {"label": TensorSpec((), "", "int64", vocab=(len(facts.classes),))} if self.conditional else {}
        return {
            GENERATOR: Role(TensorSpec((self.latent_dim,), "F", context=context), TensorSpec(x.dims, x.axes)),
            DISCRIMINATOR: Role(x.replace(context=context), TensorSpec((1,), "F")),
        }

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        wanted = self.roles(facts)[role]
        assert wanted.output is not None
        return reshaping_network(model, wanted.input, wanted.output, self.type, self.head)

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return self.generated_metric_names()

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if not self.metrics:
            yield UnfitSetting.at("a GAN needs a metric, by which the best checkpoint is chosen", "metrics")

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the discriminator's score of each sample: the higher, the more it takes it for real."""
        return {"score": values[:, 0].tolist()}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.figures.samples import scatter, sheet, strips

        samples = outputs.extras["samples"]
        if samples.ndim == 4:
            paths = outputs.extras["interpolation"]
            return {
                "samples": sheet(samples, f"{len(samples)} samples"),
                "interpolation": strips(paths, [""] * len(paths), "From one noise to another along an arc"),
            }
        if samples.ndim == 2 and samples.shape[1] >= 2:
            return {"samples": scatter(outputs.values["real"], samples, f"{len(samples)} samples over the data")}
        return {}
