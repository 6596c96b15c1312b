import math

import numpy as np
import pytest
import torch
from optimizer_gym import network, train
from pydantic import ValidationError
from torch import nn

from dlx.optimizers import Optimizer, parameter_groups


def optimizer(value):
    return Optimizer.model_validate(value)


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


def test_sgd_with_momentum_is_the_heavy_ball_and_nesterov():
    for own in ({"momentum": 0.5}, {"momentum": 0.5, "nesterov": True}):
        name = "nesterov" if "nesterov" in own else "momentum"
        pairs = [optimizer({"type": "sgd", "lr": 0.1, **own}), optimizer({"type": name, "lr": 0.1, "momentum": 0.5})]
        found = []
        for spec in pairs:
            weight = nn.Parameter(torch.ones(3))
            train(spec.build([{"params": [weight]}]), lambda weight=weight: weight.pow(4).sum(), 4)
            found.append(weight.detach())
            assert spec.state_per_parameter == 1
        assert torch.equal(*found)
    for own in ({"nesterov": True}, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}):
        with pytest.raises(ValidationError, match="nesterov needs a momentum above 0"):
            optimizer({"type": "sgd", **own})


def test_rmsprop_forgets_as_in_its_lecture():
    """v ← 0.9 v + 0.1 g²: slide 29 of Hinton's lecture 6e."""
    weight = nn.Parameter(torch.zeros(1))
    made = optimizer({"type": "rmsprop", "lr": 0.01}).build([{"params": [weight]}])
    mean, expected = 0.0, 0.0
    for gradient in (1.0, -3.0, 0.5):
        weight.grad = torch.tensor([gradient])
        made.step()
        mean = 0.9 * mean + 0.1 * gradient**2
        expected -= 0.01 * gradient / (math.sqrt(mean) + 1e-8)
    assert weight.item() == pytest.approx(expected, rel=1e-5)
