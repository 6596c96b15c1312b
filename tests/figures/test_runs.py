"""Figures that compare runs show every run's own values."""

import numpy as np

from dlx.figures.runs import compared_curves, quality_against_speed


def test_curves_of_runs_lie_over_each_other_one_panel_a_metric():
    curves = {"a": {"loss": [(0, 1.0), (1, 0.5)], "f1": [(1, 0.1), (2, 0.2)]}, "b": {"loss": [(0, 2.0), (1, 0.2)]}}
    figure = compared_curves(curves)
    f1, loss = figure.axes
    assert {line.get_label(): list(line.get_ydata()) for line in loss.get_lines()} == {"a": [1, 0.5], "b": [2, 0.2]}
    assert [list(line.get_xdata()) for line in f1.get_lines()] == [[1, 2]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_without_curves_there_is_no_figure():
    assert compared_curves({"a": {}, "b": {}}) is None


def test_quality_lies_over_seconds_and_coverage_is_the_color():
    figure = quality_against_speed(("gan", "vae"), [0.5, 0.001], ("quality", [4.0, 8.0]), ("coverage", [0.5, 0.25]))
    axes, bar = figure.axes
    (points,) = axes.collections
    assert np.array_equal(points.get_offsets(), [[0.5, 4.0], [0.001, 8.0]])
    assert list(points.get_array()) == [0.5, 0.25]
    assert [text.get_text() for text in axes.texts] == ["gan", "vae"]
    assert (axes.get_ylabel(), bar.get_ylabel()) == ("quality", "coverage")
