"""Autoencoders: an encoder to a code, and a decoder back. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.baselines import BaselineProblem
from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Role, Task, UnfitSetting
from dlx.tasks._base.heads import HeadChoice, numeric_input, reshaping_network
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np

ENCODER, DECODER = "encoder", "decoder"
IMAGE = "CHW"


class EncoderDecoder(Task):
    """A task with an encoder, from the input to a code, and a decoder back; they share the gradient of one loss."""

    default_role: ClassVar[str] = ENCODER
    shared_gradient: ClassVar[bool] = True
    embedding_description: ClassVar[str] = "the code"
    latent_dim: int = Field(32, gt=0)
    """Size of the code (latent vector)."""
    head: HeadChoice = "auto"
    """Last layers of the networks: `auto` brings features into the required shape; `none` where models end in it."""

    @property
    def encoder_features(self) -> int:
        """How many numbers the encoder returns."""
        return self.latent_dim

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        x = numeric_input(facts, self.type)
        return {
            ENCODER: Role(x, TensorSpec((self.encoder_features,), "F")),
            DECODER: Role(TensorSpec((self.latent_dim,), "F"), TensorSpec(x.dims, x.axes)),
        }

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        wanted = self.roles(facts)[role]
        assert wanted.output is not None
        return reshaping_network(model, wanted.input, wanted.output, self.type, self.head, self.last_layers(role))

    def last_layers(self, role: str) -> tuple[Any, ...]:
        """Return layers that follow a network, whatever its head."""
        return ()

    def predictions_table(self, values: np.ndarray, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the error of each sample, and its reconstruction."""
        x = numeric_input(facts, self.type)
        named = x.names if len(x.names) == x.elements else [f"{facts.inputs[0]}[{i}]" for i in range(x.elements)]
        rest = {name: values[:, i + 1].tolist() for i, name in enumerate(named)}
        return {"error": values[:, 0].tolist(), **rest}


class AutoencoderTask(EncoderDecoder):
    """An autoencoder that is evaluated by its reconstruction error."""

    loss: Literal["mse", "bce"] = "mse"
    """Mean squared error, or binary cross-entropy for inputs between 0 and 1; a mean over the elements of a sample."""
    noise: Literal["none", "gaussian", "masking", "salt_and_pepper"] = "none"
    """Noise on inputs, which must be reconstructed without it: added, set to zero, or to the smallest or greatest."""
    noise_level: float = Field(0.0, ge=0)
    """Standard deviation of gaussian noise in the units of the network's input, else the fraction of noisy numbers."""
    sparsity: Literal["none", "l1", "kl"] = "none"
    """Sparsity penalty on codes: `l1` is their absolute values, `kl` the KL divergence of each one's mean over a batch
    from `target_activation`; for `kl` a sigmoid follows the code.
    """
    sparsity_weight: float = Field(1e-3, ge=0)
    """Weight of the penalty on codes, summed over the code."""
    target_activation: float = Field(0.05, gt=0, lt=1)
    """With `sparsity: kl`: the mean that each number of the code should have."""
    contractive_weight: float = Field(0.0, ge=0)
    """Weight of the squared derivatives of the code by the input (contractive penalty), which make it insensitive."""

    def last_layers(self, role: str) -> tuple[Any, ...]:
        return ("sigmoid",) if role == ENCODER and self.sparsity == "kl" else ()

    @property
    def learning_metric(self) -> str:
        return "mse"

    @property
    def compares_samples(self) -> bool:
        return self.sparsity == "kl"  # a divergence of the batch's mean

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        images = {"psnr": "higher"} if numeric_input(facts, self.type).axes == IMAGE else {}
        gain = {"psnr_gain": "higher"} if images and self.noise != "none" else {}
        return {"loss": "lower", "mse": "lower", **images, **gain}

    def baseline_problem(self, facts: DataFacts) -> BaselineProblem | None:
        return BaselineProblem("reconstruction" if self.noise == "none" else "denoising", facts, self.latent_dim)

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if self.loss == "bce":
            yield from check_unit_interval(context.facts, "loss", "bce")
        if (self.noise == "none") != (self.noise_level == 0):
            yield UnfitSetting.at("noise and noise_level come together: give both, or neither", "noise_level")
        if self.noise in ("masking", "salt_and_pepper") and self.noise_level >= 1:
            message = f"the fraction of noisy numbers must be below 1, not {self.noise_level}"
            yield UnfitSetting.at(message, "noise_level")


def check_unit_interval(facts: DataFacts, field: str, what: str) -> Iterable[Problem]:
    """Refuse inputs that are known to lie outside of 0 … 1 where they must lie within."""
    x: Any = facts.input
    stats: Mapping[str, tuple[float, ...]] = vars(x.stats) if x.stats is not None else {}
    low, high = stats.get("low", ()), stats.get("high", ())
    if not low or (min(low) >= -1e-6 and max(high) <= 1 + 1e-6):
        return
    seen = f"{min(low):.3g} … {max(high):.3g}"
    cure = f"scale: {1 / max(high):.4g}" if min(low) >= 0 else "normalize: {method: min_max}"
    yield UnfitSetting.at(
        f"{what} needs inputs between 0 and 1, but they are {seen}: set data.transforms: [{cure}]", field
    )
