"""Figures of supervised predictions: which classes are confused, and the samples with the highest loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.facts import DataFacts
from dlx.figures.base import confusion_matrix, count_confusions, reliability_diagram
from dlx.figures.worst import TILES, worst_examples, worst_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def class_figures(probabilities_NK: np.ndarray, labels_N: np.ndarray, classes: Sequence[str]) -> dict[str, Figure]:
    """Draw which classes are confused, and whether probabilities are calibrated."""
    predicted_N = probabilities_NK.argmax(1)
    return {
        "confusion_matrix": confusion_matrix(count_confusions(labels_N, predicted_N, len(classes)), classes),
        "reliability": reliability_diagram(probabilities_NK.max(1), predicted_N == labels_N),
    }


def worst_samples(
    inputs: Mapping[str, Any], rows: Any, losses: Any, labels: Any, predictions: Any, facts: DataFacts
) -> dict[str, Figure]:
    """Draw the samples with the highest loss: a sheet of images, or a table.

    inputs  the data's own arrays; `rows` are those of the samples
    """
    order = np.argsort(-np.nan_to_num(losses, nan=np.inf), kind="stable")[:TILES]
    rows, losses, name = rows[order], losses[order], facts.inputs[0]
    if facts.fields[name].axes == "CHW":
        stats = facts.fields[name].stats
        peak = max(stats.high) if stats is not None else 0
        images = np.stack([inputs[name][row] for row in rows]) / (peak or 1.0)
        return {"worst_examples": worst_examples(images, labels[order], predictions[order], losses, facts.classes)}
    answers: dict[str, Sequence[Any]] = {
        "true": _class_names(labels[order], facts.classes),
        "predicted": _class_names(predictions[order], facts.classes),
        "loss": list(losses),
    }
    return {"worst_rows": worst_rows({**answers, **_columns(inputs, rows, facts)})}


def _class_names(values: Any, classes: Sequence[str]) -> list[Any]:
    return [classes[int(v)] for v in values] if classes else [float(v) for v in values]


def _columns(inputs: Mapping[str, Any], rows: Any, facts: DataFacts) -> dict[str, list[Any]]:
    """Return the columns of a table, with categories by their names."""
    found: dict[str, list[Any]] = {}
    for field in facts.inputs:
        spec = facts.fields[field]
        if spec.axes != "F":
            continue
        for k in range(spec.elements):
            name = spec.names[k] if spec.names else f"{field} {k}"
            words = ("?", *facts.categories[name]) if name in facts.categories else None
            found[name] = [words[int(v)] if words else v for v in inputs[field][rows, k]]
    return found
