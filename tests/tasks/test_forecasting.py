"""Forecasting: naive forecasts and scaled errors computed by hand, windows in their own units, the whole way."""

import numpy as np
import pytest
import sklearn.metrics
import torch
from kit import build

import dlx
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import RecipeError
from dlx.losses import Loss

SEASON, HISTORY, LENGTH = 6, 14, 4


def series(n=160):
    t = np.arange(n)
    return 20 + 0.3 * t + 5 * np.sin(2 * np.pi * t / SEASON) + np.random.default_rng(0).normal(0, 0.3, n)


def recipe(folder, values, loss="mae", model="linear", source="", **changes):
    lines = [f"{i},{v},{(i * 7) % 3}" for i, v in enumerate(values)]
    (folder / "s.csv").write_text("when,y,known\n" + "\n".join(lines) + "\n")
    (folder / "r.yaml").write_text(
        f"name: s\ntask: {{forecasting: {{loss: {loss}, metrics: [mase, smape, rmse, mae]}}}}\n"
        "data:\n"
        f"  source: {{type: series, path: s.csv, target: y, history: {HISTORY}, horizon: {LENGTH}, season: {SEASON}"
        f"{source}}}\n"
        "  split: {val: 20, test: 30}\n"
        f"model: {model}\n"
        "optimizer: {adam: {lr: 0.02}}\n"
        "train: {epochs: 30, batch_size: 16, val_every_n_epochs: 10}\n"
        "hardware: {accelerator: cpu, num_threads: 1}\n"
    )
    return dlx.load(folder / "r.yaml", changes)


def made(loaded):
    plan = dlx.plan.make(loaded)
    return plan, *build(plan)


def test_naive_forecasts_and_scaled_errors_are_those_of_the_definition(tmp_path):
    values = series().astype(np.float32)
    plan, module, batches = made(recipe(tmp_path, values))
    with silence_lightning():
        (measured,) = build_trainer(plan).test(module, batches["test"], verbose=False)
    windows = len(values) - HISTORY - LENGTH + 1
    tested = [i for i in range(windows) if i + HISTORY >= 160 - 30]
    target = np.array([values[i + HISTORY :][:LENGTH] for i in tested])
    last = np.array([[values[i + HISTORY - 1]] * LENGTH for i in tested])
    seasonal = np.array([[values[i + HISTORY + h - SEASON] for h in range(LENGTH)] for i in tested])
    train = np.arange(SEASON, 160 - 30 - 20)
    unit = np.abs(values[train] - values[train - SEASON]).mean()
    assert plan.facts.season == SEASON
    assert plan.facts.fields["target"].stats.naive[0] == pytest.approx(unit, rel=1e-5)
    for name, forecast in (("naive", last), ("seasonal_naive", seasonal)):
        error = sklearn.metrics.mean_absolute_error(target, forecast)
        assert measured[f"test/mae.{name}"] == pytest.approx(error, rel=1e-4)
        assert measured[f"test/mase.{name}"] == pytest.approx(error / unit, rel=1e-4)
        smape = (2 * abs(forecast - target) / (abs(forecast) + abs(target))).mean()
        assert measured[f"test/smape.{name}"] == pytest.approx(smape, rel=1e-4)
        root = sklearn.metrics.root_mean_squared_error(target.ravel(), forecast.ravel())
        assert measured[f"test/rmse.{name}"] == pytest.approx(root, rel=1e-4)


def test_a_window_is_seen_in_its_own_units_and_a_shift_of_it_shifts_the_forecast(tmp_path):
    _, module, batches = made(recipe(tmp_path, series()))
    batch = next(iter(batches["test"]))
    seen = module.input_of(batch)
    torch.testing.assert_close(seen.mean(1), torch.zeros(len(seen), 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std(1, unbiased=False), torch.ones(len(seen), 1))
    forecast = module.predict_step(batch, 0)
    moved = module.predict_step({**batch, "history": 3 * batch["history"] + 100}, 0)
    torch.testing.assert_close(moved, 3 * forecast + 100, rtol=1e-4, atol=1e-2)


def test_a_series_can_be_seen_in_the_units_of_the_train_split(tmp_path):
    plan, module, batches = made(recipe(tmp_path, series(), **{"task.scaling": "series"}))
    batch = next(iter(batches["test"]))
    stats = plan.facts.fields["history"].stats
    torch.testing.assert_close(module.input_of(batch), (batch["history"] - stats.mean[0]) / stats.std[0])
    output = module.network_output("network", batch)
    torch.testing.assert_close(module.predict_step(batch, 0), output.double() * stats.std[0] + stats.mean[0])


def test_a_flat_history_is_not_blown_up(tmp_path):
    values = np.concatenate([series(80), np.full(80, 30.0)])
    _, module, batches = made(recipe(tmp_path, values))
    assert all(module.predict_step(b, 0).isfinite().all() for b in batches["test"])


def test_what_is_known_ahead_is_seen_in_the_units_of_its_own_past(tmp_path):
    branches = "{type: layers, layers: [{branches: [[{field: history}, flatten], [{field: future}, flatten]]}]}"
    _, module, batches = made(recipe(tmp_path, series(), model=branches, source=", known_covariates: [known]"))
    batch = next(iter(batches["train"]))
    past = batch["history"][..., 1:]
    expected = (batch["future"] - past.mean(1, keepdim=True)) / past.std(1, unbiased=False, keepdim=True)
    torch.testing.assert_close(module.input_of(batch)["future"], expected)
    assert batch["future"].shape[1:] == (LENGTH, 1)


def test_quantiles_give_the_ends_of_an_interval_in_any_order():
    loss = Loss.model_validate({"quantile": [0.5, 0.9, 0.1]})
    output = torch.arange(12.0).reshape(2, 6)  # two targets, three quantiles each
    low, high = loss.interval(output)
    assert low.tolist() == [[2, 5], [8, 11]]
    assert high.tolist() == [[1, 4], [7, 10]]
    assert Loss.model_validate("quantile").interval(output) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.transforms": ["normalize"]}, "scales history itself"),
        ({"task.loss": "poisson"}, "own scale"),
        ({"task": "regression"}, "use forecasting"),
        ({"data.source.season": HISTORY + 1}, "does not reach back"),
    ],
)
def test_what_contradicts_a_series_is_refused(tmp_path, changes, said):
    with pytest.raises(RecipeError, match=said):
        dlx.plan.make(recipe(tmp_path, series(), **changes))


def test_the_whole_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe(tmp_path, series(), loss="{quantile: [0.1, 0.5, 0.9]}")
    run = dlx.train("r.yaml")
    assert run.metrics["test/mase"] < 0.5 * run.metrics["test/mase.seasonal_naive"]
    assert {"forecasts", "error_by_step"} <= {path.stem for path in run.figures}
    assert dlx.evaluate("last").metrics["test/mase"] == pytest.approx(run.metrics["test/mase"])
    said = dlx.predict("last", [tmp_path / "s.csv"]).columns
    expected = 20 + 0.3 * 160 + 5 * np.sin(2 * np.pi * 160 / SEASON)
    assert said["y+1"][0] == pytest.approx(expected, abs=2)
    steps = [f"y+{h}" for h in range(1, 5)]
    quantiles = [f"{step} q{level}" for step in steps for level in (0.1, 0.5, 0.9)]
    ends = [f"{step} {end}" for end in ("low", "high") for step in steps]
    assert [*steps, *quantiles, *ends] == [name for name in said if name != "file"]
    assert said["y+1"] == said["y+1 q0.5"] and said["y+4 low"] == said["y+4 q0.1"] <= said["y+4 high"]
