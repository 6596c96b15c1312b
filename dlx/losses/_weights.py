"""Class weights: how much each class counts in a loss."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts

Weight = Annotated[float, Field(ge=0)]
ClassWeight = Literal["balanced"] | list[Weight] | dict[str, Weight] | None


def class_weights(weight: ClassWeight, facts: DataFacts) -> list[float] | None:
    """Return one factor a class: n / (K · count) where balanced, as in scikit-learn. Raises: ShapeError."""
    if weight is None:
        return None
    if weight == "balanced":
        counts = _counts(facts)
        total = sum(counts)
        return [total / (len(counts) * count) for count in counts]
    return _explicit_weights(weight, facts)


def pos_weights(weight: ClassWeight, facts: DataFacts) -> list[float] | None:
    """Return one factor a label for its positive samples: negatives / positives where balanced. Raises: ShapeError."""
    if weight != "balanced":
        return class_weights(weight, facts)
    return [(facts.counts["train"] - count) / count for count in _counts(facts)]


def _explicit_weights(weight: list[float] | dict[str, float], facts: DataFacts) -> list[float]:
    """Return the weights that a recipe gives: in the order of the classes, or by their names, 1 where one is absent."""
    if isinstance(weight, dict):
        by_index = {facts.class_index(name): factor for name, factor in weight.items()}
        return [by_index.get(k, 1.0) for k in range(len(facts.classes))]
    if len(weight) != len(facts.classes):
        raise ShapeError(f"class_weight has {len(weight)} entries, but there are {len(facts.classes)} classes")
    return list(weight)


def _counts(facts: DataFacts) -> tuple[int, ...]:
    if not facts.class_counts:
        raise ShapeError("class_weight: balanced needs the number of samples of each class, which the data do not give")
    absent = [name for name, count in zip(facts.classes, facts.class_counts, strict=True) if count == 0]
    if absent:
        raise ShapeError(
            f"class_weight: balanced needs every class in the train split, but there is no {', '.join(absent)}"
        )
    return facts.class_counts
