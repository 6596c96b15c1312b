"""Pictures of a classifier's test predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.facts import DataFacts
from dlx.figures.base import confusion_matrix, reliability_diagram
from dlx.figures.supervised import worst

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlx.tasks._supervised.module import Judged


def draw(judged: Judged, facts: DataFacts) -> dict[str, Figure]:
    """Draw which classes are confused, whether probabilities mean what they say, and the worst mistakes."""
    answers, labels = judged.predictions.argmax(1), judged.targets.astype(int)
    matrix = np.zeros((len(facts.classes), len(facts.classes)), dtype=int)
    np.add.at(matrix, (labels, answers), 1)
    return {
        "confusion_matrix": confusion_matrix(matrix, facts.classes),
        "reliability": reliability_diagram(judged.predictions.max(1), answers == labels),
        **worst(judged, facts, labels, answers, facts.classes),
    }
