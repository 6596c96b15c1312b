"""ROC and precision–recall curves are scikit-learn's, with the thresholds at which their points are reached."""

import numpy as np
import pytest
import sklearn.metrics as sk

from dlx.figures.supervised import class_figures, label_figures
from dlx.figures.thresholds import count_by_threshold, label_confusions, precision_recall_curves, roc_curves


def title(axes):
    return axes.get_title(loc="left")


def lines(axes):
    """Return the points of each curve that has a name, by its name without its area."""
    named = [line for line in axes.lines if line.get_label()[0] != "_" and "chance" not in line.get_label()]
    return {line.get_label().rpartition(" ")[0]: np.array(line.get_data()) for line in named}


def several(classes=3, samples=300, digits=2):
    """Return probabilities with ties, the truth as one-hot rows, and labels."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, classes, samples)
    logits = generator.normal(size=(samples, classes)) + 1.5 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return probabilities.round(digits), np.eye(classes, dtype=bool)[labels], labels


def test_counts_are_scikit_learns_at_every_score():
    (scores, *_), (positive, *_) = several()[0].T, several()[1].T
    counts = count_by_threshold(scores, positive)
    false_rate, true_rate, thresholds = sk.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(counts.thresholds, thresholds[1:])  # the first of scikit-learn's is infinity
    np.testing.assert_allclose(counts.recall, true_rate[1:])
    np.testing.assert_allclose(counts.fall_out, false_rate[1:])
    precision = sk.precision_recall_curve(positive, scores)[0]
    np.testing.assert_allclose(counts.precision[::-1], precision[-len(counts.precision) - 1 : -1])
    assert counts.roc_auc == pytest.approx(sk.roc_auc_score(positive, scores))
    assert counts.average_precision == pytest.approx(sk.average_precision_score(positive, scores))


def test_curves_are_one_for_each_class_against_the_others():
    probabilities, truth, _ = several()
    (axes,) = roc_curves(probabilities, truth, "abc").axes
    mean = np.mean([sk.roc_auc_score(t, p) for t, p in zip(truth.T, probabilities.T, strict=True)])
    assert title(axes).startswith(f"Mean AUROC {mean:.4g}\npoints: thresholds of class ")
    for name, t, p in zip("abc", truth.T, probabilities.T, strict=True):
        expected = sk.roc_curve(t, p, drop_intermediate=False)[:2]
        np.testing.assert_allclose(lines(axes)[name], expected)
    (axes,) = precision_recall_curves(probabilities, truth, "abc").axes
    mean = np.mean([sk.average_precision_score(t, p) for t, p in zip(truth.T, probabilities.T, strict=True)])
    assert title(axes).startswith(f"Mean average precision {mean:.4g}")
    assert set(lines(axes)) == set("abc")


def test_thresholds_stand_where_they_lead():
    scores, positive = np.array([[0.95], [0.8], [0.6], [0.4], [0.2]]), np.array([[1], [0], [1], [1], [0]])
    (axes,) = roc_curves(scores, positive, ["yes"]).axes
    assert title(axes) == "AUROC 0.6667\npoints: thresholds"
    places = {text.get_text(): tuple(text.xy) for text in axes.texts}
    assert places == {
        "0.9": (0, pytest.approx(1 / 3)),
        "0.7": (0.5, pytest.approx(1 / 3)),
        "0.5": (0.5, pytest.approx(2 / 3)),
        "0.3": (0.5, 1),
        "0.1": (1, 1),
    }
    (axes,) = precision_recall_curves(scores, positive, ["yes"]).axes
    assert {text.get_text(): tuple(text.xy) for text in axes.texts}["0.5"] == (pytest.approx(2 / 3),) * 2
    assert axes.lines[-1].get_label() == "chance 0.6"


def test_classes_without_samples_are_left_out_and_said():
    probabilities, truth, _ = several()
    truth = np.column_stack([truth[:, 0], np.zeros(300, bool), truth[:, 2]])
    (axes,) = roc_curves(probabilities, truth, "abc").axes
    assert set(lines(axes)) == {"a", "c"}
    assert "; 1 without samples of two kinds are left out" in title(axes)
    (axes,) = roc_curves(probabilities, np.zeros((300, 3)), "abc").axes
    assert title(axes) == "No samples of two kinds"
    (axes,) = precision_recall_curves(np.zeros((0, 3)), np.zeros((0, 3)), "abc").axes
    assert title(axes) == "No samples of two kinds"


def test_of_many_classes_the_worst_are_named():
    probabilities, truth, _ = several(20, 2000, 4)
    (axes,) = roc_curves(probabilities, truth, [f"class {i}" for i in range(20)]).axes
    areas = {f"class {i}": sk.roc_auc_score(truth[:, i], probabilities[:, i]) for i in range(20)}
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [name.rpartition(" ")[0] for name in shown[:-1]] == sorted(areas, key=areas.get)[:8]
    assert shown[-1] == "12 others"


def test_two_classes_have_one_curve_that_of_the_last():
    probabilities, truth, labels = several(2)
    (axes,) = class_figures(probabilities, labels, ("no", "yes"))["roc"].axes
    assert list(lines(axes)) == ["yes"]
    assert title(axes).startswith(f"AUROC {sk.roc_auc_score(truth[:, 1], probabilities[:, 1]):.4g}")


def test_each_label_has_its_own_confusion_matrix_worst_first():
    probabilities, truth, _ = several()
    figure = label_confusions(probabilities, truth, ("a", "b", "c"))
    scores = sk.f1_score(truth, probabilities >= 0.5, average=None)
    shown = [title(axes) for axes in figure.axes]
    assert shown == [f"{'abc'[k]}\nF1 {scores[k]:.3f}" for k in np.argsort(scores)]
    matrices = sk.multilabel_confusion_matrix(truth, probabilities >= 0.5)
    for axes, k in zip(figure.axes, np.argsort(scores), strict=True):
        found = {tuple(text.get_position()): int(text.get_text()) for text in axes.texts}
        assert found == {(j, i): count for (i, j), count in np.ndenumerate(matrices[k])}
    right = ((probabilities >= 0.5) == truth).mean()
    assert figure.get_suptitle() == f"{100 * right:.1f} % of 3 labels right"


def test_labels_that_are_never_there_and_never_predicted_are_said():
    figure = label_confusions(np.zeros((4, 1)), np.zeros((4, 1)), ("a",))
    assert title(figure.axes[0]) == "a\nnot there"
    assert set(label_figures(np.zeros((4, 1)), np.zeros((4, 1)), ("a",))) == {
        "label_confusions",
        "roc",
        "precision_recall",
    }
