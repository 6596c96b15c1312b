"""Figures over decision thresholds: ROC and precision–recall curves. N samples, K classes or labels, T thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.figures.base import BLUE, GRAY, ORANGE, new_figure, percent, set_title, short, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED_CURVES = 8  # with more classes, those with the least area have a color and a name
MARKED = (0.1, 0.3, 0.5, 0.7, 0.9)  # thresholds that are written at a curve
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A6FB0")


@dataclass(frozen=True)
class Counts:
    """How many samples have at least a score, from the highest score down, of those that are positive and of others.

    Each array has an entry for every score.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    false_alarms: np.ndarray

    @property
    def is_defined(self) -> bool:
        """Whether there are samples of both kinds."""
        return bool(len(self.hits) and self.hits[-1] and self.false_alarms[-1])

    @property
    def recall(self) -> np.ndarray:
        """True positive rate."""
        return np.asarray(self.hits / self.hits[-1])

    @property
    def fall_out(self) -> np.ndarray:
        """False positive rate."""
        return np.asarray(self.false_alarms / self.false_alarms[-1])

    @property
    def precision(self) -> np.ndarray:
        """Fraction of positive samples among those with at least the score."""
        return np.asarray(self.hits / (self.hits + self.false_alarms))

    @property
    def roc_auc(self) -> float:
        """Area under the ROC curve, by trapezoids."""
        across, up = (np.concatenate([[0.0], values]) for values in (self.fall_out, self.recall))
        return float(np.trapezoid(up, across))

    @property
    def average_precision(self) -> float:
        """Mean of the precision, weighted by the recall that each threshold adds."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    def at(self, threshold: float) -> int | None:
        """Return the place of the lowest score that is at least the threshold; None where no score is."""
        above = int((self.thresholds >= threshold).sum())
        return above - 1 if above else None


def count_by_threshold(scores_N: np.ndarray, positive_N: np.ndarray) -> Counts:
    """Return the counts at every score that a sample has."""
    order = np.argsort(-scores_N, kind="stable")
    scores, positive = scores_N[order], positive_N[order].astype(bool)
    last_of_each = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1) if len(scores) else np.array([], int)
    hits, others = np.cumsum(positive)[last_of_each], np.cumsum(~positive)[last_of_each]
    return Counts(scores[last_of_each], hits, others)


def roc_curves(probabilities_NK: np.ndarray, truth_NK: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw the true over the false positive rate, one curve for each class against all others, or for each label."""
    figure = new_figure(5.6, 5.6)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], "--", color=GRAY, linewidth=1)
    curves = _rankable(probabilities_NK, truth_NK, names)
    draw = _Drawing(lambda c: (c.fall_out, c.recall), lambda c: c.roc_auc, "AUROC", (0.0, 0.0))
    draw.all(axes, curves)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set(xlabel="false positive rate", ylabel="true positive rate (recall)")
    set_title(axes, draw.title_of(curves, len(names)))
    return figure


def precision_recall_curves(probabilities_NK: np.ndarray, truth_NK: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw the precision over the recall, one curve for each class against all others, or for each label."""
    figure = new_figure(5.6, 5.6)
    axes = figure.add_subplot()
    curves = _rankable(probabilities_NK, truth_NK, names)
    draw = _Drawing(lambda c: (c.recall, c.precision), lambda c: c.average_precision, "average precision", None)
    draw.all(axes, curves)
    if len(curves) == 1:
        share = float(truth_NK.mean())
        axes.axhline(share, linestyle="--", color=GRAY, linewidth=1, label=f"chance {share:.3g}")
        axes.legend(frameon=False, fontsize=9, loc="lower left")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel="recall", ylabel="precision")
    set_title(axes, draw.title_of(curves, len(names)))
    return figure


def _rankable(probabilities_NK: np.ndarray, truth_NK: np.ndarray, names: Sequence[str]) -> list[tuple[str, Counts]]:
    """Return the counts of each class of which there are samples, and samples of others."""
    found = [(n, count_by_threshold(p, t)) for n, p, t in zip(names, probabilities_NK.T, truth_NK.T, strict=True)]
    return [(name, counts) for name, counts in found if counts.is_defined]


@dataclass(frozen=True)
class _Drawing:
    """How curves are drawn: where their points lie, what their area is and is called, and where they begin."""

    points: Callable[[Counts], tuple[np.ndarray, np.ndarray]]
    area: Callable[[Counts], float]
    title: str
    start: tuple[float, float] | None

    def all(self, axes: Axes, curves: Sequence[tuple[str, Counts]]) -> None:
        """Draw the curves, of many the worst in color, with thresholds written at the worst."""
        ordered = sorted(curves, key=lambda curve: self.area(curve[1]))
        for _, counts in ordered[NAMED_CURVES:]:
            self._line(axes, counts, "#C8C8C8", None)
        for (name, counts), color in reversed([*zip(ordered, COLORS, strict=False)]):
            self._line(axes, counts, color, f"{short(name, 20)} {self.area(counts):.3f}")
        for _, counts in ordered[:1]:
            self._thresholds(axes, counts)
        if len(ordered) > NAMED_CURVES:
            axes.plot([], [], color="#C8C8C8", label=f"{len(ordered) - NAMED_CURVES} others")
        style(axes)
        if ordered:
            lines, labels = axes.get_legend_handles_labels()
            kept = len(ordered[:NAMED_CURVES])
            order = [*reversed(range(kept)), *range(kept, len(labels))]
            axes.legend([lines[i] for i in order], [labels[i] for i in order], frameon=False, fontsize=9)

    def _line(self, axes: Axes, counts: Counts, color: str, label: str | None) -> None:
        across, up = self.points(counts)
        if self.start is not None:
            across, up = np.append(self.start[0], across), np.append(self.start[1], up)
        axes.plot(across, up, color=color, linewidth=1.8 if label else 0.9, label=label)

    def _thresholds(self, axes: Axes, counts: Counts) -> None:
        across, up = self.points(counts)
        named: dict[tuple[float, float], list[str]] = {}  # thresholds between which nothing changes share a point
        for threshold in MARKED:
            place = counts.at(threshold)
            if place is not None:
                named.setdefault((across[place], up[place]), []).append(f"{threshold:g}")
        for point, thresholds in named.items():
            axes.plot(*point, "o", color="black", markersize=4)
            axes.annotate(", ".join(thresholds), point, (5, -10), textcoords="offset points", size=8)

    def title_of(self, curves: Sequence[tuple[str, Counts]], count: int) -> str:
        """Return the title: the area, of several their mean, and how many are left out."""
        if not curves:
            return "No samples of two kinds"
        areas = [self.area(counts) for _, counts in curves]
        title = self.title[0].upper() + self.title[1:]
        mean = f"{title} {areas[0]:.4g}" if count == 1 else f"Mean {self.title} {np.mean(areas):.4g}"
        name = min(curves, key=lambda curve: self.area(curve[1]))[0]
        what = f"points: thresholds of class {short(name, 24)}" if count > 1 else "points: thresholds"
        absent = f"; {count - len(curves)} without samples of two kinds are left out" if len(curves) < count else ""
        return f"{mean}{absent}\n{what}"


def label_confusions(probabilities_NK: np.ndarray, truth_NK: np.ndarray, labels: Sequence[str]) -> Figure:
    """Draw for each label how many samples have it, and of how many it is predicted, at a probability of 0.5.

    The labels with the lowest F1 score come first.
    """
    from dlx.figures.base import PANELS, panel_columns

    predicted_NK, true_NK = probabilities_NK >= 0.5, truth_NK.astype(bool)
    counts_K22 = np.array([
        [[(~t & ~p).sum(), (~t & p).sum()], [(t & ~p).sum(), (t & p).sum()]]
        for t, p in zip(true_NK.T, predicted_NK.T, strict=True)
    ])  # fmt: skip
    order = np.argsort([2.0 if (score := _f1(c)) is None else score for c in counts_K22], kind="stable")[:PANELS]
    columns = panel_columns(len(order))
    rows = -(-len(order) // columns)
    figure = new_figure(2.9 * columns + 0.3, 2.9 * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(order) :]:
        axes.set_axis_off()
    for axes, k in zip(grid.flat, order, strict=False):
        _draw_label(axes, counts_K22[k], labels[k])
    right = percent(float((predicted_NK == true_NK).mean())) if true_NK.size else "none"
    shown = f"; the {len(order)} with the lowest F1" if len(order) < len(labels) else ""
    figure.suptitle(f"{right} of {len(labels)} labels right{shown}", fontsize=12, fontweight="bold")
    return figure


def _f1(counts_22: np.ndarray) -> float | None:
    """Return the F1 score, None where a label is neither there nor predicted."""
    (_, false_alarms), (misses, hits) = counts_22
    total = 2 * hits + false_alarms + misses
    return float(2 * hits / total) if total else None


def _draw_label(axes: Axes, counts_22: np.ndarray, label: str) -> None:
    shares = counts_22 / np.maximum(counts_22.sum(1, keepdims=True), 1)
    for (i, j), count in np.ndenumerate(counts_22):
        color = BLUE if i == j else ORANGE
        axes.fill(
            [j - 0.5, j + 0.5, j + 0.5, j - 0.5], [i - 0.5, i - 0.5, i + 0.5, i + 0.5], color, alpha=0.75 * shares[i, j]
        )
        axes.text(j, i, f"{count}", ha="center", va="center", fontsize=11)
    axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5), aspect="equal", xlabel="predicted", ylabel="true")
    axes.set_xticks([0, 1], ["no", "yes"], fontsize=9)
    axes.set_yticks([0, 1], ["no", "yes"], fontsize=9)
    axes.tick_params(length=0)
    score = _f1(counts_22)
    set_title(axes, f"{short(label, 18)}\n{'not there' if score is None else f'F1 {score:.3f}'}", size=10)
