import io
import math

import numpy as np
import pytest
import torch
from kit import example
from optimizer_gym import fit, network, train, weights
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from torch import nn

from dlx.component import types
from dlx.optimizers import Optimizer, parameter_groups

every_optimizer = pytest.mark.parametrize("name", types("optimizers"))


def optimizer(value):
    return Optimizer.model_validate(value)


@every_optimizer
def test_example_validates_and_round_trips(name):
    spec = optimizer(example("optimizers", name))
    assert spec.type == name
    assert optimizer(spec.model_dump(mode="json", serialize_as_any=True)) == spec


@every_optimizer
def test_finds_the_minimum_of_a_quadratic(name):
    torch.manual_seed(0)
    goal = torch.empty(8, 6).uniform_(-0.5, 0.5)
    curvature = torch.logspace(-0.5, 0.5, 48).reshape(8, 6)
    weight = nn.Parameter(torch.full((8, 6), 0.1))
    spec = optimizer(example("optimizers", name))
    before = (curvature * (weight - goal).square()).sum().item()
    made = spec.build([{"params": [weight]}])
    train(made, lambda: (curvature * (weight - goal).square()).sum(), 1500)
    after = (curvature * (weight - goal).square()).sum().item()
    assert after < 0.05 * before


@every_optimizer
def test_learns_as_well_as_scikit_learns_logistic_regression(name):
    x, y = make_classification(200, 4, n_informative=3, n_redundant=0, flip_y=0.2, scale=2.0, random_state=0)
    reference = LogisticRegression(C=np.inf, tol=1e-8).fit(x, y)
    inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    best = nn.functional.binary_cross_entropy(torch.tensor(reference.predict_proba(x)[:, 1]), targets.double()).item()
    model = nn.Linear(4, 1)
    nn.init.zeros_(model.weight)
    spec = optimizer(example("optimizers", name))
    made = spec.build(parameter_groups(spec, model))
    loss_of = nn.BCEWithLogitsLoss()
    train(made, lambda: loss_of(model(inputs).squeeze(1), targets), 1500)
    assert loss_of(model(inputs).squeeze(1), targets).item() - best < 0.1 * (math.log(2) - best)


@every_optimizer
def test_resuming_equals_going_on(name):
    spec = optimizer(example("optimizers", name))
    net = network()
    made = fit(spec, net, 4)
    saved = io.BytesIO()
    torch.save({"net": net.state_dict(), "optimizer": made.state_dict()}, saved)
    fit(spec, net, 4, seed=4, made=made)

    resumed = network(seed=1)
    made = spec.build(parameter_groups(spec, resumed))
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    resumed.load_state_dict(state["net"])
    made.load_state_dict(state["optimizer"])
    fit(spec, resumed, 4, seed=4, made=made)
    assert torch.equal(weights(net), weights(resumed))


def numbers(value):
    """Count the elements of all tensors that have more than one."""
    if isinstance(value, torch.Tensor):
        return value.numel() if value.numel() > 1 else 0
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return sum(numbers(item) for item in items)


@every_optimizer
def test_state_per_parameter_is_what_is_kept(name):
    spec = optimizer(example("optimizers", name))
    net = network()
    during = []

    def loss_of():
        during.append(sum(numbers(state) for state in made.state.values()))
        return (net(torch.ones(1, 64)) - 1).abs().pow(1.5).sum()

    made = spec.build(parameter_groups(spec, net))
    train(made, loss_of, 20)
    kept = numbers(made.state_dict()["state"]) / weights(net).numel()
    assert spec.inner_optimizer.state_per_parameter == pytest.approx(kept, abs=0.1)


@every_optimizer
def test_works_where_fused_kernels_do_not(name):
    spec = optimizer(example("optimizers", name))
    meta = spec.build([{"params": [nn.Parameter(torch.zeros(3, 3, device="meta"))]}])
    assert not any(group.get("fused") for group in meta.param_groups)


WAKES, STEPS = 3, 7


def _train_with_waking_layer(spec, net, made, first, last):
    """Take some steps, in the first of which the first layer waits, as a layer does that is frozen for a time."""
    layer = next(module for module in net.modules() if isinstance(module, nn.Linear))
    for step in range(first, last):
        for parameter in layer.parameters():
            parameter.requires_grad_(step >= WAKES)
        torch.manual_seed(step)
        x = torch.randn(8, 64)

        def loss_of(x=x):
            made.zero_grad()
            loss = (net(x) - 1).square().mean()
            loss.backward()
            return loss

        made.step(loss_of)
    return layer.weight.detach().clone()


@every_optimizer
@pytest.mark.parametrize("stop", [1, WAKES, 5])
def test_a_layer_that_wakes_later_learns_and_resumes(name, stop):
    _check_waking(optimizer(example("optimizers", name)), stop)


@pytest.mark.parametrize("dampening", [0.0, 0.5])
def test_a_layer_that_wakes_later_begins_with_its_gradient_as_momentum(dampening):
    """What torch's plain loop does, without fused kernels."""
    spec = optimizer({"sgd": {"lr": 0.1, "momentum": 0.9, "dampening": dampening}})
    _check_waking(spec, WAKES)
    net, plain = network(), network()
    _train_with_waking_layer(spec, net, spec.build(parameter_groups(spec, net)), 0, STEPS)
    loop = torch.optim.SGD(plain.parameters(), 0.1, 0.9, dampening, foreach=False, fused=False)
    _train_with_waking_layer(spec, plain, loop, 0, STEPS)
    assert torch.allclose(weights(net), weights(plain), atol=1e-6)


def _check_waking(spec, stop):
    net = network()
    made = spec.build(parameter_groups(spec, net))
    began = _train_with_waking_layer(spec, net, made, 0, 0)
    assert torch.equal(_train_with_waking_layer(spec, net, made, 0, min(stop, WAKES)), began)
    _train_with_waking_layer(spec, net, made, min(stop, WAKES), stop)
    saved = io.BytesIO()
    torch.save({"net": net.state_dict(), "optimizer": made.state_dict()}, saved)
    assert not torch.equal(_train_with_waking_layer(spec, net, made, stop, STEPS), began)

    resumed = network(seed=1)
    made = spec.build(parameter_groups(spec, resumed))
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    resumed.load_state_dict(state["net"])
    made.load_state_dict(state["optimizer"])
    _train_with_waking_layer(spec, resumed, made, stop, STEPS)
    assert torch.equal(weights(net), weights(resumed))
