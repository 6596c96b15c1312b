"""Baselines: simple methods, most of them scikit-learn's, that are fitted on a run's own split beside its network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.component import Component
from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem, Rule
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np

BaselineKind = Literal["classes", "labels", "regression", "forecast", "reconstruction", "denoising"]


@dataclass(frozen=True)
class BaselineProblem:
    """What a task asks of a baseline.

    kind        what is predicted: one of several classes, several labels, numbers, the next steps of a series, or the
                input itself, from a narrow code or from a noisy form of it
    facts       what is known about the data, as networks see them
    latent_dim  how many numbers a code may have
    """

    kind: BaselineKind
    facts: DataFacts
    latent_dim: int = 0

    @property
    def fields(self) -> dict[str, TensorSpec]:
        """The input fields by name."""
        return {name: self.facts.fields[name] for name in self.facts.inputs}

    @property
    def has_text(self) -> bool:
        """Whether there is one input and it is a sequence of tokens."""
        return [is_text(spec) for spec in self.fields.values()] == [True]

    @property
    def is_vector(self) -> bool:
        """Whether every input is of numbers or codes in a known shape, so that a sample is a vector."""
        return not any(is_text(spec) or None in spec.dims for spec in self.fields.values())

    @property
    def is_table(self) -> bool:
        """Whether every input is columns of a table."""
        return self.is_vector and all(spec.axes in ("", "F") for spec in self.fields.values())


def is_text(spec: TensorSpec) -> bool:
    """Return whether a field is a sequence of tokens."""
    return spec.axes == "T" and bool(spec.vocab)


@dataclass(frozen=True)
class BaselineSplit:
    """The samples of a split.

    inputs  by field: arrays (N, …) as networks see them; of texts a list of N arrays of token codes
    target  what is to be predicted, (N, …)
    steps   of a series: the number of the first step that is predicted, (N,)
    """

    inputs: Mapping[str, Any]
    target: np.ndarray
    steps: np.ndarray | None = None


class UnfitBaseline(Rule):
    """A baseline does not fit this task or its data.

    Baselines predict classes, labels, numbers, the next steps of a series, or the input itself.

    Why:      there would be nothing for it to predict, or nothing that it could read.
    Instead:  write `baselines: auto`, which takes all that fit, or choose from those (`dlx list baselines`).
    Wrong:    baselines: [ridge]
    Right:    baselines: [logistic_regression]
    """

    code: ClassVar[str] = "DLX456"


class Baseline(Component):
    """A simple method that predicts what the network does, fitted on the train split and measured by the same metrics.

    Its metrics stand beside those of the network, as `test/accuracy.majority`; on val where there is no test split.
    """

    family = "baselines"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ()
    """What it can predict."""
    in_auto: ClassVar[bool] = True
    """Whether `baselines: auto` takes it where it fits; not where it may take longer than the network."""

    max_samples: int = Field(10_000, ge=1)
    """Samples of the train split that it is fitted on, at most: an even draw of them."""

    def fits(self, problem: BaselineProblem) -> bool:
        """Return whether it can predict this from these inputs."""
        return problem.kind in self.kinds

    def check(self, context: CheckContext) -> Iterable[Problem]:
        problem = context.recipe.task.baseline_problem(context.facts)
        if problem is None:
            yield UnfitBaseline.at(f"the task {context.recipe.task.type} has no baselines")
        elif not self.fits(problem):
            yield UnfitBaseline.at(f"{self.type} cannot predict {problem.kind} of these inputs")

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        """Return predictions for the samples of `test`, as metrics take them.

        Classes and labels: probabilities (N, K); numbers: values in the shape of the target.
        """
        raise NotImplementedError
