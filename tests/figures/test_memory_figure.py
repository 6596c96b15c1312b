"""How far back a recurrent network feels its mistakes, as a picture of a run."""

import numpy as np
from matplotlib.text import Text

import dlx
from dlx.data.prepare import prepare
from dlx.engine.build.experiment import build_batches, build_module
from dlx.figures.memory import gradient_norm_by_step


def test_a_recurrent_regression_feels_its_steps_and_a_perceptron_has_none(tmp_path):
    found = {}
    for model in ("{rnn: 8}", "{lstm: {hidden: 8, num_layers: 1}}", "{mlp: [8]}"):
        (tmp_path / "r.yaml").write_text(
            "task: regression\ndata: {source: {adding: {length: 30, n_samples: 80}}}\n"
            f"model: {model}\nhardware: {{accelerator: cpu, num_threads: 1}}\n"
        )
        plan = dlx.plan.make(dlx.load(tmp_path / "r.yaml"))
        prepared = prepare(plan.recipe.data, plan.base, "regression")
        module = build_module(plan)
        found[model] = module.gradient_norms(next(iter(build_batches(plan, prepared)["test"])))
    rnn, lstm, none = found.values()
    assert not none
    (rnn_T,), (lstm_T,) = rnn.values(), lstm.values()
    assert rnn_T.shape == lstm_T.shape == (30,)
    assert rnn_T[-1] > 0
    assert rnn_T[0] / rnn_T[-1] < lstm_T[0] / lstm_T[-1]


def test_what_the_picture_says_is_not_cut_off():
    for norm_T in (np.logspace(-14, 0, 100), np.logspace(1, 0, 5), np.zeros(3)):
        figure = gradient_norm_by_step({"rnn": norm_T})
        (axes,) = figure.axes
        for title in (axes.get_title("left"), axes.get_title("left") + ", and even a longer one would not be"):
            axes.set_title(title, loc="left")
            figure.canvas.draw()
            (written,) = (t for t in figure.findobj(Text) if t.get_text() == title)
            assert written.get_window_extent().x1 <= figure.bbox.x1
