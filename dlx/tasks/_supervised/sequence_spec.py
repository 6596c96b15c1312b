"""What tasks share that judge every step of a sequence. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem
from dlx.tasks import Role, UnfitData
from dlx.tasks._base.masks import is_sequence, scoped
from dlx.tasks._supervised.spec import ROLE, Supervision
from dlx.tensors import Spec, TensorSpec, context_of


class StepSupervision(Supervision):
    """A task whose network returns one score a class for every step; padding counts nowhere."""

    @property
    def accepts_soft_targets(self) -> bool:
        return False

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        x = scoped(facts)
        steps = x.dims[0] if isinstance(x, TensorSpec) else None
        output = TensorSpec((steps, self.loss.out_features(facts)), "TF", context=context_of(x))
        return {ROLE: Role(x, output)}

    def automatic(self, features: Spec, facts: DataFacts) -> list[Any]:
        if not isinstance(features, TensorSpec) or features.axes != "TF":
            raise ShapeError(f"{self.type} needs features of every step, but the model ends in {features}; {_ADVICE}")
        return [{"type": "linear", "features": self.loss.out_features(facts)}]

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        x = context.facts.input
        if not isinstance(x, TensorSpec) or not is_sequence(x):
            actual = str(x) if isinstance(x, TensorSpec) else f"the fields {', '.join(x)}"
            yield UnfitData.at(f"{self.type} reads one sequence, but the input is {actual}; choose by data.inputs")


def worded(facts: DataFacts) -> DataFacts:
    """Return facts by which every token of the target's vocabulary is a class."""
    words = facts.fields["target"].vocab[0] if facts.target and facts.fields["target"].vocab else 0
    return replace(facts, classes=tuple(map(str, range(words))))


_ADVICE = "a recurrent model gives them with `output: steps`, bert with `pooler: false`"
