"""Figures of a classifier's test predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx.facts import DataFacts
from dlx.figures.supervised import class_figures, label_figures, worst_samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlx.tasks._base.evaluation import EvaluationArrays


def draw(arrays: EvaluationArrays, facts: DataFacts) -> dict[str, Figure]:
    """Draw which classes or labels are confused, what thresholds do, and the samples with the highest loss."""
    if facts.multilabel:
        return label_figures(arrays.values["predictions"], arrays.values["targets"], facts.classes)
    probabilities, labels = arrays.values["predictions"], arrays.values["targets"].astype(int)
    return {
        **class_figures(probabilities, labels, facts.classes),
        **worst_samples(
            arrays.inputs,
            arrays.rows,
            arrays.values["losses"],
            labels,
            probabilities.argmax(1),
            facts,
            arrays.row_names,
        ),
    }
