"""Figures of the classes predicted for the tokens of the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx.facts import DataFacts
from dlx.figures.supervised import class_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlx.tasks._base.evaluation import EvaluationArrays


def draw(arrays: EvaluationArrays, facts: DataFacts) -> dict[str, Figure]:
    """Draw the confusion matrix and the reliability diagram."""
    probabilities, labels = arrays.values["predictions"], arrays.values["targets"].astype(int)
    return class_figures(probabilities, labels, facts.classes)
