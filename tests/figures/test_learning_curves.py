"""Learning curves: what is drawn, in which panel, on which axis, and what the title says of it."""

import math

import numpy as np
import pytest

from dlx.figures.learning_curves import Epochs, learning_curves


def title(axes):
    return axes.get_title(loc="left")


def curve(values):
    return [(10 * (i + 1), v) for i, v in enumerate(values)]


def test_learning_curves_overlay_the_splits_of_a_metric_and_mark_the_best():
    history = {
        "train/loss": curve([2.0, 1.0, 0.5]),
        "val/loss": curve([2.0, 1.1, 1.4]),
        "val/accuracy": curve([0.5, 0.8, 0.7]),
        "test/accuracy": [(30, 0.75)],
    }
    figure = learning_curves(history, {"accuracy": "higher"})
    loss, accuracy = figure.axes
    assert title(loss) == "loss: val best 1.1 at step 20"
    assert title(accuracy) == "accuracy: val best 0.8 at step 20"
    drawn = {line.get_label(): line.get_ydata().tolist() for line in loss.lines}
    assert drawn["train"] == [2.0, 1.0, 0.5]
    assert drawn["val"] == [2.0, 1.1, 1.4]
    assert [t.get_text() for t in accuracy.get_legend().get_texts()] == ["val", "test 0.75"]
    assert loss.get_yscale() == "linear"


def test_learning_curves_do_not_guess_which_way_is_better():
    (axes,) = learning_curves({"val/score": curve([1.0, 3.0, 2.0])}).axes
    assert title(axes) == "score: val ends at 2"
    assert len(axes.lines) == 1


@pytest.mark.parametrize(
    ("values", "scale"), [([10, 1, 0.05], "log"), ([10, 1, 0.5], "linear"), ([9, 0, -1], "linear")]
)
def test_a_loss_over_more_than_two_decades_is_drawn_on_a_log_scale(values, scale):
    (axes,) = learning_curves({"train/loss": curve([*map(float, values), math.nan])}).axes
    assert axes.get_yscale() == scale


def test_a_long_noisy_training_curve_is_also_drawn_smooth():
    noise = np.random.default_rng(0).normal(size=400) + 5
    (axes,) = learning_curves({"train/loss": curve(noise)}).axes
    raw, smooth = (line.get_ydata() for line in axes.lines[:2])
    np.testing.assert_array_equal(raw, noise)
    window = noise[200 - 10 : 200 + 11].mean()
    assert smooth[200] == pytest.approx(window)
    assert smooth.std() < 0.5 * raw.std()


def test_learning_curves_of_nothing_and_of_nothing_finite():
    assert learning_curves({}).axes[0].axison is False
    (axes,) = learning_curves({"val/loss": curve([math.nan, math.inf])}).axes
    assert title(axes) == "loss: val is never finite"


def test_the_axis_counts_epochs_and_the_best_one_is_marked_in_every_panel():
    history = {
        "train/loss": curve([2.0, 1.0, 0.5]),
        "val/loss": curve([2.0, 1.1, 1.4]),
        "val/f1": curve([0.1, 0.2, 0.3]),
    }
    figure = learning_curves(history, {"f1": "higher"}, Epochs(length=10, best=2))
    loss, f1, *_ = figure.axes
    assert title(loss) == "loss: val best 1.1 at epoch 2" and title(f1) == "f1: val best 0.3 at epoch 3"
    for axes in (loss, f1):
        assert axes.get_xlabel() == "epoch"
        (mark,) = [line for line in axes.lines if line.get_label() == "best checkpoint"]
        assert list(mark.get_xdata()) == [2, 2]
    (train,) = [line for line in loss.lines if line.get_label() == "train"]
    assert train.get_xdata().tolist() == [1, 2, 3]


def test_learning_rates_have_the_last_panel_one_line_for_each_network():
    rates = {"lr/generator": [(0, 1e-3), (5, 1e-4)], "lr/discriminator": [(0, 2e-3), (5, 2e-4)]}
    loss, lr, *_ = learning_curves({**rates, "train/loss": curve([1.0])}).axes
    assert title(lr) == "learning rate from 0.0001 to 0.002" and title(loss).startswith("loss")
    assert {line.get_label(): line.get_ydata().tolist() for line in lr.lines} == {
        "generator": [1e-3, 1e-4],
        "discriminator": [2e-3, 2e-4],
    }
    (alone,) = learning_curves({"lr": [(0, 0.1), (9, 0.1)]}).axes
    assert title(alone) == "learning rate 0.1" and [line.get_label() for line in alone.lines] == ["lr"]
