"""Losses of numbers are those of torch and scikit-learn; quantiles make predictions and intervals."""

import numpy as np
import pytest
import sklearn.metrics
import torch
from kit import context, refusals
from pydantic import ValidationError
from targets import target_facts
from torch.nn import functional as F

from dlx.losses import Loss
from dlx.tensors import Stats

BATCH = 64


def loss_of(spelling, kind, k):
    return Loss.model_validate(spelling).build(target_facts(kind, k))


@pytest.mark.parametrize(
    ("spelling", "reference"),
    [
        ("mse", F.mse_loss),
        ("mae", F.l1_loss),
        ("huber", F.huber_loss),
        ({"huber": 0.3}, lambda o, t: F.huber_loss(o, t, delta=0.3)),
        ("log_cosh", lambda o, t: torch.cosh((o - t).double()).log().mean().float()),
        ("poisson", lambda o, t: (o.exp() - t * o).mean()),
    ],
)
def test_regression_losses_are_their_formulas(spelling, reference):
    torch.manual_seed(3)
    output, target = torch.randn(BATCH, 2), torch.rand(BATCH, 2) * 3
    assert torch.allclose(loss_of(spelling, "regression", 2)(output, target), reference(output, target), atol=1e-6)


def test_quantile_is_sklearns_pinball_loss():
    torch.manual_seed(4)
    output, target = torch.randn(BATCH, 4), torch.randn(BATCH, 2)
    spec = Loss.model_validate({"quantile": [0.1, 0.7]})
    assert spec.out_features(target_facts("regression", 2)) == 4
    low, high = output[:, [0, 2]], output[:, [1, 3]]
    expected = np.mean(
        [
            sklearn.metrics.mean_pinball_loss(target, low, alpha=0.1),
            sklearn.metrics.mean_pinball_loss(target, high, alpha=0.7),
        ]
    )
    facts = target_facts("regression", 2)
    assert spec.build(facts)(output, target).item() == pytest.approx(expected, rel=1e-5)


def quantile(*levels):
    return Loss.model_validate({"quantile": list(levels)})


def test_all_quantiles_are_predicted_and_never_cross():
    output = torch.tensor([[3.0, 1.0, 2.0, 5.0, 9.0, 7.0]])  # two targets, three quantiles each
    prediction = quantile(0.1, 0.5, 0.9).predict(output, target_facts("regression", 2))
    assert prediction.tolist() == [[1, 2, 3, 5, 7, 9]]
    mixed = quantile(0.5, 0.9, 0.1).predict(output, target_facts("regression", 2))
    assert mixed.tolist() == [[2, 3, 1, 7, 9, 5]]
    assert quantile(0.5, 0.9, 0.1).prediction_names(["y", "z"]) == [
        "y q0.5",
        "y q0.9",
        "y q0.1",
        "z q0.5",
        "z q0.9",
        "z q0.1",
    ]


@pytest.mark.parametrize("levels", [(0.1, 0.9), (0.05, 0.4, 0.8), (0.9, 0.2), (0.5, 0.1), (0.3, 0.5, 0.6)])
def test_the_point_is_the_median_interpolated_between_the_quantiles_around_it(levels):
    values = torch.tensor([[10.0 * level**2 for level in levels]])
    order = np.argsort(levels)
    expected = np.interp(0.5, np.array(levels)[order], values[0].numpy()[order])
    assert quantile(*levels).point(values).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("levels", "nearest"), [((0.7, 0.9), 0), ((0.1, 0.2), 1), ((0.8,), 0)])
def test_the_point_is_the_nearest_quantile_where_all_are_on_one_side_of_the_median(levels, nearest):
    values = torch.arange(2.0 * len(levels))[None]
    assert torch.equal(quantile(*levels).point(values), values[:, nearest :: len(levels)])
    assert torch.equal(torch.from_numpy(quantile(*levels).point(values.numpy())), values[:, nearest :: len(levels)])


def test_the_interval_is_from_the_lowest_to_the_highest_quantile():
    values = torch.arange(12.0).reshape(2, 6)
    low, high = quantile(0.5, 0.9, 0.1).interval(values)
    assert low.tolist() == [[2, 5], [8, 11]] and high.tolist() == [[1, 4], [7, 10]]
    assert quantile(0.5).interval(values) is None


def test_what_metrics_see_without_a_median_is_said():
    facts = target_facts("regression", 1)
    said = {
        (0.1, 0.9): "the value between the 0.1 and 0.9 quantiles",
        (0.8,): "the 0.8 quantile",
    }
    for levels, words in said.items():
        (warning,) = quantile(*levels).check(context(facts, task="regression"))
        assert words in warning.message and warning.severity == "warning"
    assert not list(quantile(0.1, 0.5).check(context(facts, task="regression")))
    with pytest.raises(ValidationError, match="only once"):
        quantile(0.5, 0.5)


def test_a_fit_of_quantiles_covers_as_many_targets_as_they_say():
    target = torch.from_numpy(np.random.default_rng(0).exponential(size=(4000, 1))).float()
    spec, output = quantile(0.1, 0.5, 0.9), torch.zeros(1, 3, requires_grad=True)
    module, optimizer = spec.build(target_facts("regression", 1)), torch.optim.Adam([output], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        module(output.expand(4000, -1), target).backward()
        optimizer.step()
    expected = -np.log(1 - np.array([0.1, 0.5, 0.9]))  # of an exponential distribution
    assert np.allclose(output[0].detach(), expected, atol=0.08)


def test_poisson_refuses_negative_targets():
    stats = Stats(mean=(1.0,), std=(3.0,), low=(-8.1,), high=(9.0,))
    (problem,) = refusals(Loss.model_validate("poisson"), target_facts("regression", 1, stats), task="regression")
    assert "goes down to -8.1" in problem.message
    counts = Stats(mean=(1.0,), std=(3.0,), low=(0.0,), high=(9.0,))
    assert not refusals(Loss.model_validate("poisson"), target_facts("regression", 1, counts), task="regression")
