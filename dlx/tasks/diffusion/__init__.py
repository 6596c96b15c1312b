from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.models import Model
from dlx.tasks import Learning, Role
from dlx.tasks._base.heads import numeric_input, reshaping_network
from dlx.tasks._generative.spec import Generative
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn

ROLE = "denoiser"
TIME = TensorSpec((), "")


class Diffusion(Generative):
    """Diffusion model: learns to remove noise from samples, step by step, and so to generate samples from noise alone.

    Training: x₀ gets noise for a random time t, xₜ = √ᾱₜ x₀ + √(1 − ᾱₜ) ε, and the network, which reads t as `time`
    from its context, predicts the noise (or the sample, or v). Sampling goes back from pure noise, in as many steps as
    one has time for. An average of the weights (`regularize: {ema: 0.999}`) makes better samples. Slower to sample than
    a GAN or a VAE, but trained by a plain mean squared error, and it leaves out no modes.

    With `conditional` the network also reads `label`. In training the class is dropped now and then (label dropout), so
    that sampling can amplify it (classifier-free guidance).

    Shapes:  points, tables of numbers (F) or images (C, H, W); the network keeps them.
    Units:   loss is the mean squared error of the prediction, in scaled units; `time` runs from 0 to 1000.
    Source:  Ho et al. 2020, arXiv:2006.11239; cosine: Nichol & Dhariwal 2021, arXiv:2102.09672; ddim: Song et al.
             2020, arXiv:2010.02502; v: Salimans & Ho 2022, arXiv:2202.00512; guidance: Ho & Salimans 2022,
             arXiv:2207.12598; classes by the error of each: Li et al. 2023, arXiv:2303.16203.

    Example:
        {type: diffusion, noise_schedule: cosine, prediction_type: v_prediction, sampler: ddim, sampling_steps: 20}
    """

    type: Literal["diffusion"] = "diffusion"
    default_role: ClassVar[str] = ROLE
    export_refusal: ClassVar[str | None] = "it samples in many steps, in a loop that is no part of a graph"
    timesteps: int = Field(1000, ge=2)
    """Steps T from a sample to pure noise."""
    noise_schedule: Literal["linear", "cosine"] = "linear"
    """How fast noise is added: cosine keeps more of small images for longer."""
    prediction_type: Literal["epsilon", "sample", "v_prediction"] = "epsilon"
    """What the network predicts: the noise, the sample, or v = √ᾱ ε − √(1 − ᾱ) x₀, which is well conditioned
    everywhere."""
    scaling: Literal["auto", "min_max", "standard", "none"] = "auto"
    """How samples are scaled first: the train split's range to [−1, 1], its mean to 0 and deviation to 1, or not.
    `auto` is min_max for images and standard otherwise.
    """
    clip_sample: bool = True
    """Whether predicted samples are clipped to the range of the train split."""
    sampler: Literal["ddpm", "ddim"] = "ddpm"
    """How a sampling step goes: by a draw from the posterior, or along the predicted noise, which suits few steps."""
    sampling_steps: int = Field(1000, ge=1)
    """Sampling steps; never more than `timesteps`."""
    eta: float = Field(0.0, ge=0, le=1)
    """With `sampler: ddim`: how much of the noise is fresh; 0 is deterministic, 1 is ddpm."""
    conditional: bool = False
    """Whether the network is conditioned on the class of every sample."""
    label_dropout: float = Field(0.1, ge=0, le=1)
    """With `conditional`: probability that a class is dropped in training."""
    guidance_scale: float = Field(1.0, ge=0)
    """With `conditional`: scale s of classifier-free guidance, ε(x) + s (ε(x, class) − ε(x)); 1 is no guidance."""
    metric_samples: int = Field(1000, ge=2)
    """With metrics: how many samples are generated for them at most."""

    @property
    def is_conditional(self) -> bool:
        return self.conditional or super().is_conditional

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        x = numeric_input(facts, self.type)
        label = {"label": TensorSpec((), "", "int64", vocab=(len(facts.classes) + 1,))} if self.conditional else {}
        plain = TensorSpec(x.dims, x.axes)
        return {ROLE: Role(plain.replace(context={"time": TIME, **label}), plain)}

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        wanted = self.roles(facts)[role]
        return reshaping_network(model, wanted.input, numeric_input(facts, self.type), self.type, "auto")

    def resolve_auto(self, facts: DataFacts) -> Self:
        method = "min_max" if facts.fields[facts.inputs[0]].axes == "CHW" else "standard"
        return self.evolve("scaling", method) if self.scaling == "auto" else self

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        return {"loss": "lower", **self.generated_metric_names()}

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.diffusion.module import DiffusionModule

        return DiffusionModule(networks, facts, learning, self)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        if self.conditional:
            return super().predictions_table(values, facts)
        return {"denoising_error": values[:, 0].tolist()}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.tasks.diffusion.figures import draw

        return dict(draw(outputs))
