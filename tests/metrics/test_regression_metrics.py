"""Metrics of numbers are those of scikit-learn, and do not depend on where zero is."""

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from kit import context
from targets import compute_metric, random_metric, random_predictions, series_facts, target_facts

from dlx.errors import ShapeError
from dlx.metrics import Metric
from dlx.tensors import Stats

REFERENCES = {
    "mse": sk.mean_squared_error,
    "rmse": lambda t, p: np.sqrt(sk.mean_squared_error(t, p)),
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
    "mape": sk.mean_absolute_percentage_error,
    "smape": lambda t, p: np.mean(2 * np.abs(p - t) / (np.abs(t) + np.abs(p))),
}


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(("name", "reference"), REFERENCES.items())
def test_metrics_are_scikit_learns(name, reference, k):
    prediction, target = (values.double().numpy() for values in random_predictions("regression", k))
    assert random_metric(name, "regression", k).item() == pytest.approx(reference(target, prediction), rel=1e-9)
    if k == 1:
        metric = Metric.model_validate(name).build(target_facts("regression", 1))
        metric.update(torch.from_numpy(prediction)[:, 0], torch.from_numpy(target)[:, 0])
        assert metric.compute().item() == pytest.approx(reference(target, prediction), rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e5, 1.7e9, 1e12])
@pytest.mark.parametrize("name", ["r2", "mse", "rmse", "mae"])
def test_a_metric_does_not_depend_on_where_zero_is(name, offset):
    generator = torch.Generator().manual_seed(0)
    target = 5 * torch.randn(600, 1, generator=generator, dtype=torch.float64)
    prediction = target + torch.randn(600, 1, generator=generator, dtype=torch.float64)
    expected = REFERENCES[name](target.numpy(), prediction.numpy())
    facts = target_facts("regression", 1, Stats(mean=(offset + 1,), std=(5.0,), low=(0.0,), high=(offset or 1.0,)))
    assert compute_metric(name, facts, prediction + offset, target + offset).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", REFERENCES)
def test_many_small_batches_are_summed_in_double_precision(name):
    generator = torch.Generator().manual_seed(0)
    target = 1000 + torch.rand(40_000, 1, generator=generator)
    prediction = target + 0.1 * torch.rand(40_000, 1, generator=generator)
    metric = Metric.model_validate(name).build(target_facts("regression", 1))
    for part in range(0, 40_000, 40):
        metric.update(prediction[part : part + 40], target[part : part + 40])
    expected = REFERENCES[name](target.double().numpy(), prediction.double().numpy())
    assert metric.compute().item() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("name", ["mape", "smape", "r2", "mase"])
def test_relative_metrics_do_not_depend_on_the_unit(name, unit):
    prediction, target = (values.double() for values in random_predictions("regression", 1))
    stats = Stats(mean=(3 * unit,), std=(unit,), low=(unit,), high=(5 * unit,), naive=(2 * unit,))
    expected = {**REFERENCES, "mase": lambda t, p: sk.mean_absolute_error(t, p) / 2}[name](
        target.numpy(), prediction.numpy()
    )
    facts = target_facts("regression", 1, stats)
    value = compute_metric(name, facts, prediction * unit, target * unit)
    assert value.item() == pytest.approx(expected, rel=1e-6)


def test_r2_of_one_sample_or_equal_targets_is_undefined():
    facts, one = target_facts("regression", 1), torch.ones(1, 1)
    assert compute_metric("r2", facts, one, one).isnan()
    assert compute_metric("r2", facts, torch.randn(9, 1), torch.full((9, 1), 1e6 + 0.1)).isnan()
    two = target_facts("regression", 2)
    prediction, target = random_predictions("regression", 2)
    target[:, 0] = 4.0  # the first column is left out of the mean
    expected = sk.r2_score(target[:, 1], prediction[:, 1])
    assert compute_metric("r2", two, prediction, target).item() == pytest.approx(expected)


def test_a_small_variance_is_none_to_ignore():
    target = 1e-4 * torch.arange(5.0)[:, None].double()
    prediction = target + 1e-5 * torch.tensor([1.0, -1, 1, -1, 1]).double()[:, None]
    value = compute_metric("r2", target_facts("regression", 1), prediction, target)
    assert value.item() == pytest.approx(sk.r2_score(target, prediction))


@pytest.mark.parametrize("name", ["mse", "mae", "rmse"])
def test_standardized_errors_are_in_units_of_each_columns_deviation(name):
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, 50, 6, generator=generator, dtype=torch.float64)
    facts = series_facts(3, 2, Stats(mean=(5.0, -7.0), std=(2.0, 0.5)))  # three steps of two columns
    std = torch.tensor([2.0, 0.5]).repeat(3)
    expected = REFERENCES[name]((target / std).numpy(), (prediction / std).numpy())
    assert compute_metric({name: {"standardized": True}}, facts, prediction, target).item() == pytest.approx(expected)
    each = [
        compute_metric({name: {"standardized": True, "target": column}}, facts, prediction, target) for column in "ab"
    ]
    errors = ((prediction - target) / std).reshape(50, 3, 2)
    by_hand = {"mse": errors.square().mean((0, 1)), "mae": errors.abs().mean((0, 1))}
    by_hand["rmse"] = by_hand["mse"].sqrt()
    torch.testing.assert_close(torch.stack(each), by_hand[name])


def test_mase_has_a_unit_for_each_column():
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, 50, 6, generator=generator, dtype=torch.float64)
    facts = series_facts(3, 2, Stats(naive=(4.0, 0.25)))
    errors = (prediction - target).abs().reshape(50, 3, 2).mean((0, 1))
    assert compute_metric("mase", facts, prediction, target).item() == pytest.approx(
        float(errors[0] / 4 + errors[1] / 0.25) / 2
    )
    with pytest.raises(ShapeError, match="0 for a column"):
        Metric.model_validate("mase").validate_target(series_facts(3, 2, Stats(naive=(4.0, 0.0))))
    with pytest.raises(ShapeError, match="is for series"):
        Metric.model_validate("mase").validate_target(target_facts("regression", 2, Stats(mean=(0.0, 0.0))))


@pytest.mark.parametrize("name", ["mape", "smape"])
def test_percentages_of_targets_around_zero_are_warned_of(name):
    around, above = (
        target_facts("regression", 1, Stats(mean=(1.0,), std=(1.0,), low=(low,), high=(3.0,))) for low in (-0.5, 0.5)
    )
    (warning,) = Metric.model_validate(name).check(context(around, task="regression"))
    assert warning.severity == "warning" and "from -0.5 to 3 through zero" in warning.message
    assert not list(Metric.model_validate(name).check(context(above, task="regression")))
