"""Scaling laws: exponents and intervals held against a law that is known, and against scipy's regression."""

import numpy as np
import pytest
from kit import quiet
from scipy import stats

import dlx
from dlx.errors import RecipeError
from dlx.plan import make
from dlx.studies.scaling import best_of_each, fit_power_law, frontier, spending_of

RECIPE = """
name: scaled
task: classification
data: {source: {sklearn: digits}}
model: {mlp: {hidden: [4]}}
optimizer: {adam: {lr: 0.01}}
train: {epochs: 2, batch_size: 32, limit_train_samples: 100}
hardware: {accelerator: cpu, num_threads: 1}
sweep:
  search: grid
  over: {model.mlp.hidden.0: [2, 6, 24], train.limit_train_samples: [60, 400]}
  monitor: val/loss
  power_law: [parameters, samples, compute]
expect: {sweep/power_law/parameters: "> 0", sweep/power_law/compute/low: "> -9"}
"""


def test_an_exact_law_is_found():
    x = [10.0, 100.0, 1000.0, 1e4]
    law = fit_power_law("parameters", [(v, 3 * v**-0.5) for v in x])
    assert (law.exponent, law.coefficient) == pytest.approx((0.5, 3.0))
    assert (law.low, law.high) == pytest.approx((0.5, 0.5), abs=1e-6)
    assert law.at(400.0) == pytest.approx(3 / 20)


def test_the_interval_is_student_s_and_covers_as_often_as_it_says():
    random, x, covered = np.random.default_rng(0), np.geomspace(1e2, 1e6, 6), 0
    for _ in range(400):
        losses = 5 * x**-0.3 * np.exp(random.normal(0, 0.1, len(x)))
        law = fit_power_law("samples", list(zip(x, losses, strict=True)))
        covered += law.low <= 0.3 <= law.high
    assert 0.92 <= covered / 400 <= 0.98
    found = stats.linregress(np.log(x), np.log(losses))
    width = stats.t(len(x) - 2).interval(0.95)[1] * found.stderr
    assert (law.low, law.high) == pytest.approx((-found.slope - width, -found.slope + width))


def test_points_are_the_best_of_each_and_the_frontier():
    pairs = [(1.0, 3.0), (1.0, 2.0), (2.0, 2.5), (3.0, 1.0), (4.0, 1.0), (5.0, 0.5)]
    assert best_of_each(pairs) == [(1.0, 2.0), (2.0, 2.5), (3.0, 1.0), (4.0, 1.0), (5.0, 0.5)]
    assert frontier(pairs) == [(1.0, 2.0), (3.0, 1.0), (5.0, 0.5)]


def test_what_a_trial_spends_is_counted_by_hand(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE.partition("sweep:")[0])
    spent = spending_of(make(dlx.load(tmp_path / "r.yaml")))
    parameters, macs = 64 * 4 + 4 + 4 * 10 + 10, 64 * 4 + 4 * 10
    assert spent == {"parameters": parameters, "samples": 100.0, "compute": 3 * 2 * macs * 2 * 100}


def test_a_sweep_fits_laws_draws_them_and_claims_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    report = dlx.sweep("r.yaml", console=quiet())
    law = report.laws["parameters"]
    assert law.x == [64 * n + n + 10 * n + 10 for n in (2, 6, 24)]
    by_size = [min(t.value for t in report.trials.values() if t.params["model.mlp.hidden.0"] == n) for n in (2, 6, 24)]
    assert law.loss == by_size
    assert report.metrics["sweep/power_law/parameters"] == law.exponent > 0
    assert report.claims_hold
    assert report.notes == ["no power law of samples: it takes 3 values of it, and there are 2"]
    assert (report.folder / "figures" / "power_law.png").exists()
    assert set(report.to_json()["power_law"]) == {"parameters", "compute"}


def test_a_claim_about_a_law_that_is_not_fitted_is_refused(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE.replace("[parameters, samples, compute]", "[samples]"))
    with pytest.raises(RecipeError, match="sweep/power_law/parameters"):
        dlx.sweep(tmp_path / "r.yaml", root=tmp_path, console=quiet())
