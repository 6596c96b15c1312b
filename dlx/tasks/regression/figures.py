"""Pictures of a regression's test predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx.facts import DataFacts
from dlx.figures.base import predicted_vs_true
from dlx.figures.supervised import worst

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlx.tasks._supervised.module import Judged


def draw(judged: Judged, facts: DataFacts) -> dict[str, Figure]:
    """Draw predictions against the truth, and the samples that are furthest from it."""
    names = facts.fields["target"].names
    pictures = {"predicted_vs_true": predicted_vs_true(judged.predictions, judged.targets, names)}
    return pictures | worst(judged, facts, judged.targets[:, 0], judged.predictions[:, 0], ())
