import inspect
import io
import math
import textwrap

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from torch import nn

from dlx.component import leaf_class, types
from dlx.optimizers import Optimizer, parameter_groups

every_optimizer = pytest.mark.parametrize("name", types("optimizers"))


def optimizer(value):
    return Optimizer.model_validate(value)


def example(name):
    docs = inspect.getdoc(leaf_class("optimizers", name))
    return yaml.safe_load(textwrap.dedent(docs.partition("Example:\n")[2]))


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64))


def train(made, loss_of, steps):
    def closure():
        made.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    for _ in range(steps):
        made.step(closure)


def fit(spec, net, steps=5, seed=0, made=None):
    """Take steps on random but repeatable regression batches; return the torch optimizer."""
    made = made or spec.build(parameter_groups(spec, net))
    for step in range(steps):
        generator = torch.Generator().manual_seed(seed + step)
        x, y = torch.randn(2, 16, net[0].in_features, generator=generator)
        train(made, lambda x=x, y=y: (net(x) - y).square().mean(), 1)
    return made


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@every_optimizer
def test_example_validates_and_round_trips(name):
    spec = optimizer(example(name))
    assert spec.type == name
    assert optimizer(spec.model_dump(mode="json", serialize_as_any=True)) == spec


@every_optimizer
def test_finds_the_minimum_of_a_quadratic(name):
    torch.manual_seed(0)
    goal = torch.empty(8, 6).uniform_(-0.5, 0.5)
    curvature = torch.logspace(-0.5, 0.5, 48).reshape(8, 6)
    weight = nn.Parameter(torch.full((8, 6), 0.1))
    spec = optimizer(example(name))
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
    spec = optimizer(example(name))
    made = spec.build(parameter_groups(spec, model))
    loss_of = nn.BCEWithLogitsLoss()
    train(made, lambda: loss_of(model(inputs).squeeze(1), targets), 1500)
    assert loss_of(model(inputs).squeeze(1), targets).item() - best < 0.1 * (math.log(2) - best)


@every_optimizer
def test_resuming_equals_going_on(name):
    spec = optimizer(example(name))
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
    spec = optimizer(example(name))
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
def test_every_field_reaches_the_optimizer(name):
    """A changed field changes the weights after some steps, so that none is ignored."""
    base = example(name)
    spec = optimizer(base)
    plain = _trained(spec)
    by_layer = {"no_decay", "layer_decay", "layers_pattern", "lr_scale"}  # tested where groups are
    for field in set(type(spec).model_fields) - {"type", "base_optimizer", *by_layer}:
        tried = [other for value in _others(getattr(spec, field)) if (other := _valid({**base, field: value}))]
        assert tried, field
        assert any(not torch.equal(plain, _trained(other)) for other in tried), field


def _valid(value):
    try:
        return optimizer(value)
    except ValidationError:
        return None


def _others(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, tuple):
        return [tuple(v and v * 0.7 for v in value), tuple(1 for _ in value)]
    if value is None:
        return [1]
    if isinstance(value, str):
        return [None]
    return [type(value)(value * 0.5), value * 2, 1, 0.5, 0.1, -0.3]


def _trained(spec):
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 5))
    fit(spec, net, 14)
    return weights(net)


@every_optimizer
def test_works_where_fused_kernels_do_not(name):
    spec = optimizer(example(name))
    meta = spec.build([{"params": [nn.Parameter(torch.zeros(3, 3, device="meta"))]}])
    assert not any(group.get("fused") for group in meta.param_groups)


def test_fused_kernels_serve_real_parameters_on_the_cpu():
    spec = optimizer("adamw")
    assert all(group["fused"] for group in spec.build(parameter_groups(spec, network())).param_groups)
    made = spec.build([{"params": [nn.Parameter(torch.zeros(2, 2, dtype=torch.complex64))]}])
    assert not made.param_groups[0]["fused"]


def test_lion_is_the_papers_formula():
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    made = optimizer({"type": "lion", "lr": 0.1, "betas": [0.9, 0.99], "weight_decay": 0.5}).build(
        [{"params": [weight]}]
    )
    mean, expected = np.zeros(3), np.array([1.0, -2.0, 3.0])
    for gradient in ([1.0, -4.0, 0.5], [-9.0, 1.0, 0.0], [0.0, 0.0, -0.1]):
        weight.grad = torch.tensor(gradient)
        made.step()
        direction = np.sign(0.9 * mean + 0.1 * np.array(gradient))
        expected = expected - 0.1 * (direction + 0.5 * expected)
        mean = 0.99 * mean + 0.01 * np.array(gradient)
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_is_the_papers_formula(adaptive):
    start = np.array([1.0, -2.0, 0.5])
    curvature = np.array([1.0, 3.0, 10.0])
    weight = nn.Parameter(torch.tensor(start, dtype=torch.float32))
    spec = optimizer({"type": "sam", "lr": 0.01, "base_optimizer": "sgd", "rho": 0.3, "adaptive": adaptive})
    made = spec.build([{"params": [weight]}])
    train(made, lambda: (torch.tensor(curvature) * weight.square()).sum() / 2, 1)
    gradient = curvature * start
    scale = np.abs(start) if adaptive else 1.0
    worst = start + 0.3 * scale**2 * gradient / np.linalg.norm(scale * gradient)
    np.testing.assert_allclose(weight.detach().numpy(), start - 0.01 * curvature * worst, rtol=1e-5)


def test_sam_gives_its_lr_to_the_base_and_takes_no_second_one():
    spec = optimizer({"type": "sam", "lr": 0.3, "base_optimizer": {"type": "adamw", "weight_decay": 0.2}})
    made = spec.build(parameter_groups(spec, nn.Linear(3, 3)))
    assert [(g["lr"], g["weight_decay"]) for g in made.param_groups] == [(0.3, 0.2), (0.3, 0.0)]
    halved = spec.evolve("lr", 0.15)
    assert halved.build(parameter_groups(halved, nn.Linear(3, 3))).param_groups[0]["lr"] == 0.15
    with pytest.raises(ValidationError, match="give lr beside base"):
        optimizer({"type": "sam", "lr": 0.3, "base_optimizer": {"type": "sgd", "lr": 0.1}})
    with pytest.raises(ValidationError, match="cannot be the base"):
        optimizer({"type": "sam", "base_optimizer": "lbfgs"})


def test_muon_steps_by_the_orthogonal_factor_of_the_gradient():
    torch.manual_seed(0)
    from dlx.optimizers.muon.module import orthogonalize_newton_schulz

    matrix = torch.randn(12, 20)
    u, _, vt = torch.linalg.svd(matrix, full_matrices=False)
    found_s = torch.linalg.svdvals(orthogonalize_newton_schulz(matrix, 5))
    assert ((found_s > 0.6) & (found_s < 1.3)).all()
    cosine = (orthogonalize_newton_schulz(matrix, 5) * (u @ vt)).sum() / (found_s.norm() * math.sqrt(12))
    assert cosine > 0.97
    torch.testing.assert_close(orthogonalize_newton_schulz(matrix.T, 5), orthogonalize_newton_schulz(matrix, 5).T)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon from 2.9 on")
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_torchs_on_matrices_and_adamw_on_the_rest(nesterov, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda t: t.float().clone())  # torch iterates in bfloat16 everywhere
    ours, theirs = network(), network()
    spec = optimizer({"type": "muon", "lr": 0.01, "nesterov": nesterov, "weight_decay": 0.1, "no_decay": []})
    made = spec.build(parameter_groups(spec, ours))
    matrices = [p for p in theirs.parameters() if p.ndim == 2]
    vectors = [p for p in theirs.parameters() if p.ndim == 1]
    muon = torch.optim.Muon(
        matrices, lr=0.01, nesterov=nesterov, weight_decay=0.1, adjust_lr_fn="match_rms_adamw", momentum=0.95
    )
    adamw = torch.optim.AdamW(vectors, lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(3):
        for net in (ours, theirs):
            net.zero_grad()
            (net(torch.randn(16, 64, generator=torch.Generator().manual_seed(step))) - 1).square().mean().backward()
        for rule in (made, muon, adamw):
            rule.step()
    for a, b, start in zip(ours.parameters(), theirs.parameters(), network().parameters(), strict=True):
        moved = (b - start).norm()
        assert (a - b).norm() < 1e-3 * moved
    assert (made.param_groups[1]["betas"]) == (0.9, 0.95)


def test_muon_takes_a_convolution_as_a_matrix_of_filters():
    torch.manual_seed(0)
    filters = nn.Parameter(torch.randn(4, 3, 5, 5))
    matrix = nn.Parameter(filters.detach().flatten(1).clone())
    for weight in (filters, matrix):
        made = optimizer("muon").build([{"params": [weight]}])
        train(made, lambda weight=weight: weight.pow(4).sum(), 2)
    torch.testing.assert_close(filters.flatten(1), matrix)


def test_momentum_gathers_speed():
    weight = nn.Parameter(torch.zeros(1))
    spec = optimizer({"type": "momentum", "lr": 0.1, "momentum": 0.5})
    train(spec.build([{"params": [weight]}]), lambda: weight.sum(), 3)
    assert weight.item() == pytest.approx(-0.1 * (1 + 1.5 + 1.75))


def test_nesterov_looks_a_step_ahead_of_momentum():
    weight = nn.Parameter(torch.zeros(1))
    spec = optimizer({"type": "nesterov", "lr": 0.1, "momentum": 0.5})
    train(spec.build([{"params": [weight]}]), lambda: weight.sum(), 3)
    assert weight.item() == pytest.approx(-0.1 * (1.5 + 1.75 + 1.875))


def test_full_batch_is_promised_by_gradient_descent_and_kept_by_sam_around_it():
    assert optimizer("gd").full_batch
    assert not optimizer("sgd").full_batch
    assert optimizer({"type": "sam", "base_optimizer": "gd"}).full_batch
