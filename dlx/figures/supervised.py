"""Figures of supervised predictions: confused classes, thresholds, calibration, and the samples with the highest loss.

N samples, K classes or labels
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.facts import DataFacts
from dlx.figures.base import confusion_matrix, count_confusions, reliability_diagram
from dlx.figures.thresholds import label_confusions, precision_recall_curves, roc_curves
from dlx.figures.worst import TILES, worst_examples, worst_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def class_figures(probabilities_NK: np.ndarray, labels_N: np.ndarray, classes: Sequence[str]) -> dict[str, Figure]:
    """Draw which classes are confused, what a threshold costs and gains, and whether probabilities are calibrated.

    Of two classes the last is the positive one.
    """
    predicted_N, one_hot_NK = probabilities_NK.argmax(1), labels_N[:, None] == np.arange(len(classes))
    drawn = slice(1, None) if len(classes) == 2 else slice(None)
    scores = probabilities_NK[:, drawn], one_hot_NK[:, drawn], classes[drawn]
    return {
        "roc": roc_curves(*scores),
        "precision_recall": precision_recall_curves(*scores),
        "confusion_matrix": confusion_matrix(count_confusions(labels_N, predicted_N, len(classes)), classes),
        "reliability": reliability_diagram(probabilities_NK.max(1), predicted_N == labels_N),
    }


def label_figures(probabilities_NK: np.ndarray, truth_NK: np.ndarray, labels: Sequence[str]) -> dict[str, Figure]:
    """Draw of which samples each label is predicted, and what a threshold costs and gains."""
    scores = probabilities_NK, truth_NK.astype(bool), labels
    return {
        "label_confusions": label_confusions(*scores),
        "roc": roc_curves(*scores),
        "precision_recall": precision_recall_curves(*scores),
    }


def worst_samples(
    inputs: Mapping[str, Any],
    rows: Any,
    losses: Any,
    labels: Any,
    predictions: Any,
    facts: DataFacts,
    names: Sequence[str] = (),
) -> dict[str, Figure]:
    """Draw the samples with the highest loss: a sheet of images, or a table.

    inputs  the data's own arrays; `rows` are those of the samples
    names   a name of each sample, such as its file, if they have one
    """
    order = np.argsort(-np.nan_to_num(losses, nan=np.inf), kind="stable")[:TILES]
    rows, losses, name = rows[order], losses[order], facts.inputs[0]
    shown = [names[i] for i in order] if len(names) else []
    if facts.fields[name].axes == "CHW":
        stats = facts.fields[name].stats
        peak = max(stats.high) if stats is not None else 0
        images = np.stack([inputs[name][row] for row in rows]) / (peak or 1.0)
        images = images[..., ::-1, :] if facts.fields[name].origin == "lower" else images
        sheet = worst_examples(images, labels[order], predictions[order], losses, facts.classes, shown)
        return {"worst_examples": sheet}
    answers: dict[str, Sequence[Any]] = {
        "true": _class_names(labels[order], facts.classes),
        "predicted": _class_names(predictions[order], facts.classes),
        "loss": list(losses),
    }
    named = {"sample": shown} if shown else {}
    return {"worst_rows": worst_rows({**answers, **named, **_columns(inputs, rows, facts)})}


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
