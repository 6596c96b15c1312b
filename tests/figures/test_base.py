import math
import sys

import matplotlib
import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torchmetrics.functional.classification import binary_calibration_error

from dlx.figures.base import confusion_matrix, predicted_vs_true, reliability_diagram
from dlx.figures.learning_curves import learning_curves
from dlx.figures.worst import worst_examples, worst_rows

DIGITS = [str(i) for i in range(10)]


def title(axes):
    return axes.get_title(loc="left") or axes.get_title()


def texts(axes):
    return [t.get_text() for t in axes.texts]


def every_figure():
    generator = np.random.default_rng(0)
    return [
        confusion_matrix(np.eye(3), "abc"),
        reliability_diagram(generator.random(50), generator.random(50) > 0.5),
        predicted_vs_true(generator.random((50, 2)), generator.random((50, 2))),
        worst_examples(generator.random((4, 1, 5, 5)), [0, 1, 1, 0], [0, 1, 0, 0], generator.random(4), "ab"),
        worst_rows({"age": [1, 2], "loss": [0.1, 0.2]}),
        learning_curves({"train/loss": [(1, 2.0), (2, 1.0)]}),
    ]


def test_figures_save_themselves_and_leave_matplotlib_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    pyplot_was_loaded = "matplotlib.pyplot" in sys.modules
    for i, figure in enumerate(every_figure()):
        path = tmp_path / f"{i}.png"
        figure.savefig(path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5000
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == pyplot_was_loaded


def test_confusion_matrix_names_the_worst_confusion_and_shows_shares_and_counts():
    counts = np.array([[8, 2, 0], [0, 5, 5], [1, 0, 9]])
    (axes,) = confusion_matrix(counts, ["cat", "dog", "eel"]).axes
    assert title(axes) == "Accuracy 73.3 %; most confused:\ndog → eel (5)"
    assert sorted(texts(axes)) == sorted(str(c) for c in counts.flat if c)
    hits, misses = (image.get_array() for image in axes.images)
    np.testing.assert_allclose(hits.compressed(), [0.8, 0.5, 0.9])
    np.testing.assert_allclose(misses.compressed(), [0.2, 0.5, 0.1])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["cat", "dog", "eel"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cat (10)", "dog (10)", "eel (10)"]
    place = {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in axes.texts}
    assert place[2, 1] == "5", "columns are predictions, rows are the truth"


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.eye(3) * 4, "Accuracy 100 %; nothing confused"),
        (np.zeros((2, 2)), "No samples"),
        (np.array([[99_999, 1], [0, 100_000]]), "Accuracy 99.9 %; most confused:\na → b (1)"),
    ],
)
def test_confusion_matrix_at_the_extremes(counts, words):
    (axes,) = confusion_matrix(counts, "abc"[: len(counts)]).axes
    assert title(axes) == words


@pytest.mark.parametrize(("classes", "numbers"), [(2, True), (20, True), (21, False), (100, False)])
def test_numbers_are_left_out_of_large_confusion_matrices(classes, numbers):
    figure = confusion_matrix(np.eye(classes) * 7, [f"number {i}" for i in range(classes)])
    (axes,) = figure.axes
    assert len(axes.texts) == (classes if numbers else 0)
    assert len(axes.get_xticklabels()) <= 40
    assert max(figure.get_size_inches()) <= 13


def test_reliability_diagram_is_torchmetrics():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.01, 1, 3000)
    correct = generator.random(3000) < confidence**2
    figure = reliability_diagram(confidence, correct, bins=10)
    top, below = figure.axes
    ece = binary_calibration_error(torch.tensor(confidence), torch.tensor(correct), n_bins=10).item()
    assert title(top).startswith(f"ECE {ece * 100:.1f} %: overconfident by")
    accuracy = top.containers[0]
    first = [correct[(confidence > i / 10) & (confidence <= (i + 1) / 10)].mean() for i in range(10)]
    np.testing.assert_allclose([bar.get_height() for bar in accuracy], first)
    counts, _ = np.histogram(confidence, np.linspace(0, 1, 11))
    assert [bar.get_height() for bar in below.containers[0]] == counts.tolist()


def test_reliability_diagram_says_which_way_it_errs():
    sure = np.full(100, 0.8)
    words = [title(reliability_diagram(sure, np.arange(100) < n).axes[0]) for n in (80, 95, 60)]
    assert "well calibrated" in words[0]
    assert "underconfident by 15.0 points\naccuracy 95.0 %, mean confidence 80.0 %" in words[1]
    assert "overconfident by 20.0 points" in words[2]


def test_predicted_vs_true_is_scikit_learns():
    generator = np.random.default_rng(0)
    true = generator.normal(size=(200, 2))
    predicted = true + generator.normal(size=(200, 2)) * [0.1, 0.5]
    figure = predicted_vs_true(predicted, true, ["height", "weight"])
    for k, (axes, name) in enumerate(zip(figure.axes, ["height", "weight"], strict=True)):
        rmse = math.sqrt(np.mean((predicted - true)[:, k] ** 2))
        assert title(axes) == f"{name}: R² {r2_score(true[:, k], predicted[:, k]):.3f}, RMSE {rmse:.4g}"
        np.testing.assert_allclose(axes.collections[0].get_offsets(), np.stack([true[:, k], predicted[:, k]], 1))
        (line,) = axes.lines
        np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())


def test_many_predictions_are_drawn_as_density_and_all_are_counted():
    true = np.random.default_rng(0).normal(size=5000)
    panel, bar = predicted_vs_true(true, true).axes
    assert panel.collections[0].get_array().sum() == 5000
    assert bar.get_ylabel() == "samples"


def test_predictions_that_are_not_finite_are_left_out():
    (axes,) = predicted_vs_true([1.0, 2.0, np.nan], [1.0, 2.0, 3.0]).axes
    assert title(axes) == "R² 1.000, RMSE 0"
    (axes,) = predicted_vs_true([np.nan], [1.0], ["y"]).axes
    assert title(axes) == "y: no finite predictions"


def test_worst_examples_come_first_with_what_they_were_taken_for():
    images = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1) * np.ones((1, 1, 4, 4), np.uint8)
    losses = np.linspace(0, 3, 30)
    labels, predictions = np.full(30, 8), np.where(losses > 1, 1, 8)
    figure = worst_examples(images, labels, predictions, losses, DIGITS)
    assert len(figure.axes) == 25
    assert figure.get_suptitle().startswith(f"{(losses > 1).sum()} of 30 wrong\nthe 25 with the highest loss")
    first, last = figure.axes[0], figure.axes[-1]
    assert title(first) == "8 → 1\nloss 3"
    np.testing.assert_allclose(first.images[0].get_array(), 29 / 255)
    assert title(last) == f"8 → 8\nloss {losses[5]:.3g}"
    assert first.title.get_color() != last.title.get_color(), "right and wrong look the same"


def test_worst_examples_of_color_floats_and_numbers():
    images = np.random.default_rng(0).normal(size=(3, 3, 6, 5))
    figure = worst_examples(images, [1.5, 2.0, 3.0], [1.0, 2.0, 0.25], [0.5, 0.0, 9.0])
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert [s.shape for s in shown] == [(6, 5, 3)] * 3
    assert min(s.min() for s in shown) == 0
    assert max(s.max() for s in shown) == 1
    assert title(figure.axes[0]) == "3 → 0.25\nloss 9"


def test_a_loss_that_is_not_a_number_is_the_worst():
    figure = worst_examples(np.zeros((2, 1, 3, 3)), [0, 1], [0, 0], [5.0, np.nan], "ab")
    assert title(figure.axes[0]) == "b → a\nloss nan"


def test_worst_rows_are_sorted_by_loss_with_outcomes_first():
    table = {"age": [30, None, 50.5], "loss": [0.1, 2.0, 1.0], "predicted": ["x", "y", "z"], "true": ["a", "b", "c"]}
    (axes,) = worst_rows(table).axes
    cells = axes.tables[0].get_celld()
    rows = [[cells[i, j].get_text().get_text() for j in range(4)] for i in range(4)]
    assert rows == [
        ["true", "predicted", "loss", "age"],
        ["b", "y", "2", "–"],
        ["c", "z", "1", "50.5"],
        ["a", "x", "0.1", "30"],
    ]
    assert title(axes) == "The 3 worst of 3"


def test_worst_rows_say_what_they_leave_out():
    table = {**{f"c{i}": range(40) for i in range(15)}, "loss": np.arange(40.0)}
    (axes,) = worst_rows(table).axes
    assert title(axes) == "The 20 worst of 40; 4 columns left out"
    assert len(axes.tables[0].get_celld()) == 21 * 12


def test_worst_samples_are_named_by_the_end_of_their_path():
    names = [f"a/rather/long/folder/name/{i}.png" for i in range(3)]
    figure = worst_examples(np.zeros((3, 1, 4, 4)), [0, 1, 0], [0, 0, 0], [0.1, 3.0, 2.0], "ab", names)
    shown = [text for axes in figure.axes for text in texts(axes)]
    assert [text[-5:] for text in shown] == ["1.png", "2.png", "0.png"]
    assert all(len(text) == 26 and text.startswith("…") for text in shown)
    (axes,) = worst_rows({"loss": [0.1, 0.2], "sample": names[:2], "age": [1, 2]}).axes
    cells = axes.tables[0].get_celld()
    named = [cells[row, 1].get_text().get_text() for row in range(3)]
    assert named == ["sample", "…er/name/1.png", "…er/name/0.png"]
