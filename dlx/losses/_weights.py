"""How much each class counts in a loss."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts

ClassWeights = Literal["balanced"] | list[Annotated[float, Field(ge=0)]] | None


def weights_of_classes(weights: ClassWeights, facts: DataFacts) -> list[float] | None:
    """Return one factor a class: n / (K · count) where balanced, as in scikit-learn. Raises: ShapeError."""
    if weights is None:
        return None
    if weights == "balanced":
        counts = _counts(facts)
        total = sum(counts)
        return [total / (len(counts) * count) for count in counts]
    if len(weights) != len(facts.classes):
        raise ShapeError(f"class_weights has {len(weights)} entries, but there are {len(facts.classes)} classes")
    return list(weights)


def weights_of_positives(weights: ClassWeights, facts: DataFacts) -> list[float] | None:
    """Return one factor a label for its positive samples: negatives / positives where balanced. Raises: ShapeError."""
    if weights != "balanced":
        return weights_of_classes(weights, facts)
    return [(facts.counts["train"] - count) / count for count in _counts(facts)]


def _counts(facts: DataFacts) -> tuple[int, ...]:
    if not facts.class_counts:
        raise ShapeError("class_weights: balanced needs to know how often each class occurs, but the data do not say")
    absent = [name for name, count in zip(facts.classes, facts.class_counts, strict=True) if count == 0]
    if absent:
        raise ShapeError(
            f"class_weights: balanced needs every class in the train split, but there is no {', '.join(absent)}"
        )
    return facts.class_counts
