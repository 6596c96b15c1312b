"""Sequences: a class for every step. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem
from dlx.tasks import Role, UnfitData
from dlx.tasks._base.masks import input_with_masks, is_sequence
from dlx.tasks._supervised.spec import ROLE, SupervisedTask
from dlx.tensors import TensorSpec, context_of, describe


class SequenceTask(SupervisedTask):
    """A task whose network returns logits of every class at every step; padding counts nowhere."""

    @property
    def accepts_soft_targets(self) -> bool:
        return False

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        x = input_with_masks(facts)
        steps = x.dims[0] if isinstance(x, TensorSpec) else None
        output = TensorSpec((steps, self.loss.out_features(facts)), "TF", context=context_of(x))
        return {ROLE: Role(x, output)}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        x = context.facts.input
        if not isinstance(x, TensorSpec) or not is_sequence(x):
            yield UnfitData.at(f"{self.type} reads one sequence, but the input is {describe(x)}; choose by data.inputs")


def with_vocabulary(facts: DataFacts) -> DataFacts:
    """Return facts by which every token of the target's vocabulary is a class."""
    words = facts.fields["target"].vocab[0] if facts.target and facts.fields["target"].vocab else 0
    return replace(facts, classes=tuple(map(str, range(words))))
