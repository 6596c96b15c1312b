"""Augmentations: data augmentation: random changes of training samples that keep their targets valid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from dlx.component import Component
from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem, Rule
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class UnfitSamples(Rule):
    """An augmentation cannot change samples of this kind.

    Augmentations of images take images, those of text take tokens, and some need a number of channels or a known size.

    Why:      it would fail in the first batch, or change something else than it means.
    Instead:  use one that is made for these samples; `dlx list augmentations` says what each does.
    Wrong:    data: {augment: [random_swap]}
    Right:    data: {augment: [random_gaussian_noise]}
    """

    code: ClassVar[str] = "DLX433"


class Augmentation(Component):
    """A random function of a training batch, on the device.

    Images come as floats from 0 to 1, whatever they are stored as: the engine divides bytes by 255 before the first
    augmentation and multiplies by 255 after the last, so that transforms meet the units that they were planned for.
    Text comes as ids (B, T), with 0 as padding, and stays ids.

    Randomness comes from torch's global generator, which the engine seeds for every batch from (seed, epoch, batch):
    the same batch is changed in the same way whenever it comes again.
    """

    family = "augmentations"

    mixes: ClassVar[bool] = False
    """Whether it mixes samples, so that the target becomes probabilities."""

    keeps_masks: ClassVar[bool] = False
    """Whether a mask (B, H, W) that comes as the target fits its image afterward, and a class for every token its
    text: it moves as the input does, or nothing moves."""

    p: float = Field(0.5, ge=0, le=1)
    """Probability that a sample is changed."""

    def validate_input(self, x: TensorSpec) -> None:
        """Raise ShapeError if samples of this shape cannot be changed in this way."""

    def check(self, context: CheckContext) -> Iterable[Problem]:
        facts = context.source_facts
        x = facts.fields[facts.inputs[0]]
        yield from UnfitSamples.unless(lambda: self.validate_input(x if x.vocab else x.replace(dtype="float32")))

    def fit(self, facts: DataFacts, base: Path) -> Self:
        """Return the augmentation with what it takes from the facts or from files, before `build` is called.

        Paths are relative to `base`, the folder of the recipe. Most need nothing.
        """
        return self

    def build(self, x: TensorSpec, classes: int) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
        """Make the function from (input (B, *dims) float, target) to the same, changed.

        Most leave the target alone; mixing ones return probabilities (B, classes). What moves the pixels of images
        moves a target of masks (B, H, W) in the same way.
        """
        raise NotImplementedError
