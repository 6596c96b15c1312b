"""What tasks share that learn to give an input back through a code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.layers import Layer
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import Role, Task, UnfitSetting
from dlx.tasks._base.heads import Head, ended, numbers
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np

ENCODER, DECODER = "encoder", "decoder"
AN_IMAGE = "CHW"


class Coding(Task):
    """A task with an encoder, from the input to a code, and a decoder back; both move down one gradient."""

    default_role: ClassVar[str] = ENCODER
    shared_gradient: ClassVar[bool] = True
    embedding_description: ClassVar[str] = "the code"
    latent_dim: int = Field(32, gt=0)
    """Size of the code (latent vector)."""
    head: Head = "auto"
    """`auto` ends each network in the shape that it needs; `none` where the models themselves do."""

    def coded(self) -> int:
        """Return how many numbers the encoder makes."""
        return self.latent_dim

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        x = numbers(facts, self.type)
        return {
            ENCODER: Role(x, TensorSpec((self.coded(),), "F")),
            DECODER: Role(TensorSpec((self.latent_dim,), "F"), TensorSpec(x.dims, x.axes)),
        }

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        wanted = self.roles(facts)[role]
        assert wanted.output is not None
        return ended(model, wanted.input, wanted.output, self.head, self.after(role))

    def after(self, role: str) -> tuple[Any, ...]:
        """Return layers that follow a network in any case."""
        return ()

    def predictions_table(self, values: np.ndarray, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the error of each sample, and its reconstruction."""
        x = numbers(facts, self.type)
        named = x.names if len(x.names) == x.elements else [f"{facts.inputs[0]}[{i}]" for i in range(x.elements)]
        rest = {name: values[:, i + 1].tolist() for i, name in enumerate(named)}
        return {"error": values[:, 0].tolist(), **rest}


class Autoencoding(Coding):
    """An autoencoder that is judged by its error of reconstruction."""

    loss: Literal["mse", "bce"] = "mse"
    """Squared difference, or binary cross-entropy for inputs between 0 and 1; a mean over the elements of a sample."""
    noise: Literal["none", "gaussian", "masking", "salt_and_pepper"] = "none"
    """What is done to inputs that must be given back clean: added to, set to zero, or set to the least or greatest."""
    noise_level: float = Field(0.0, ge=0)
    """Standard deviation of gaussian noise in the units of the network's input, else the share of disturbed numbers."""
    sparsity: Literal["none", "l1", "kl"] = "none"
    """Sparsity penalty on codes: `l1` is their absolute values, `kl` the KL divergence of each one's mean over a batch
    from `target_activation`; for `kl` a sigmoid follows the code.
    """
    sparsity_weight: float = Field(1e-3, ge=0)
    """Factor of the penalty on codes, summed over the code."""
    target_activation: float = Field(0.05, gt=0, lt=1)
    """With `sparsity: kl`: the mean that each number of the code should have."""
    contractive_weight: float = Field(0.0, ge=0)
    """Factor of the squared derivatives of the code by the input, which make it insensitive."""

    def after(self, role: str) -> tuple[Any, ...]:
        return ("sigmoid",) if role == ENCODER and self.sparsity == "kl" else ()

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        images = {"psnr": "higher"} if numbers(facts, self.type).axes == AN_IMAGE else {}
        gained = {"psnr_gain": "higher"} if images and self.noise != "none" else {}
        return {"loss": "lower", "mse": "lower", **images, **gained}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if self.loss == "bce":
            yield from check_unit_interval(context.facts, "loss", "bce")
        if (self.noise == "none") != (self.noise_level == 0):
            yield UnfitSetting.at("noise and noise_level come together: give both, or neither", "noise_level")
        if self.noise in ("masking", "salt_and_pepper") and self.noise_level >= 1:
            message = f"the share of disturbed numbers must be below 1, not {self.noise_level}"
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
