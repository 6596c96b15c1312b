"""The table of `dlx predict` for targets: decisions with probabilities, or values with quantiles and intervals.

Torch-free.   N samples, K classes or targets, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlx.facts import DataFacts
from dlx.losses import Loss, decide

PREDICTION = "prediction"


def classification_table(values_NK: Any, facts: DataFacts, probabilistic: bool = True) -> dict[str, list[Any]]:
    """Return the class, or the labels, that each sample's probabilities decide, and the probabilities themselves.

    What only ranks classes is called a score.
    """
    decisions = decide(values_NK, facts)
    if facts.kind == "labels":
        answers = [";".join(c for c, there in zip(facts.classes, row, strict=True) if there) for row in decisions]
    else:
        answers = [facts.classes[code] for code in decisions]
    title = "p" if probabilistic else "score"
    columns = {f"{title}({name})": values_NK[:, k].tolist() for k, name in enumerate(facts.classes)}
    return {PREDICTION: answers, **columns}


def regression_table(values_NK: Any, names: Sequence[str], loss: Loss) -> dict[str, list[Any]]:
    """Return the value predicted for each target, every quantile that the loss learns, and the prediction interval."""
    table = dict(zip(names, loss.point(values_NK).T.tolist(), strict=True))
    ends = loss.interval(values_NK)
    if ends is None:
        return table
    table |= zip(loss.prediction_names(names), values_NK.T.tolist(), strict=True)
    for title, end_NK in zip(("low", "high"), ends, strict=True):
        table |= {f"{name} {title}": values for name, values in zip(names, end_NK.T.tolist(), strict=True)}
    return table


def target_names(facts: DataFacts) -> list[str]:
    """Return the title of each target of a regression: its column's name, where there are several."""
    spec = facts.fields["target"]
    if spec.elements == 1:
        return [PREDICTION]
    known = len(spec.names) == spec.elements
    return list(spec.names) if known else [f"{PREDICTION}_{k + 1}" for k in range(spec.elements)]
