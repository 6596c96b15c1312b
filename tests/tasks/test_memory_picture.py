"""How far back a recurrent network feels its mistakes, as a picture of a run."""

import dlx
from dlx.data.prepare import prepare
from dlx.engine.build import batches_of, build_module


def test_a_recurrent_regression_feels_its_steps_and_a_perceptron_has_none(tmp_path):
    found = {}
    for model in ("{rnn: 8}", "{lstm: {hidden: 8, num_layers: 1}}", "{mlp: [8]}"):
        (tmp_path / "r.yaml").write_text(
            "task: regression\ndata: {source: {adding: {length: 30, samples: 80}}}\n"
            f"model: {model}\nhardware: {{accelerator: cpu, threads: 1}}\n"
        )
        plan = dlx.plan.make(dlx.load(tmp_path / "r.yaml"))
        prepared = prepare(plan.recipe.data, plan.base, "regression", plan.recipe.seed)
        module = build_module(plan)
        found[model] = module.felt(next(iter(batches_of(plan, prepared)["test"])))
    rnn, lstm, none = found.values()
    assert not none
    (rnn_T,), (lstm_T,) = rnn.values(), lstm.values()
    assert rnn_T.shape == lstm_T.shape == (30,)
    assert rnn_T[-1] > 0
    assert rnn_T[0] / rnn_T[-1] < lstm_T[0] / lstm_T[-1]
