import numpy as np
import pytest
import torch
import yaml
from probe import Probe, fit, flat, regularizer
from sklearn.datasets import make_regression
from sklearn.linear_model import Lasso
from torch import nn

import dlx
from dlx.regularizers.l1.module import soft_threshold_, sparsity


def test_l2_is_a_sum_over_weights_alone():
    net = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 1).requires_grad_(False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, -2.0], [0.5, 0.0]]))
    assert regularizer({"l2": 0.1}).penalty(net).item() == pytest.approx(0.05 * 5.25)
    assert regularizer({"l2": 0.1}).penalty(nn.LayerNorm(2)) is None


def test_the_gradient_of_l2_is_weight_decays():
    net = nn.Linear(3, 2)
    regularizer({"l2": 0.3}).penalty(net).backward()
    torch.testing.assert_close(net.weight.grad, 0.3 * net.weight.detach())


def test_l1_with_gradient_descent_is_scikit_learns_lasso():
    """Proximal gradient descent on the mean squared error; scikit-learn's alpha is of half of it."""
    x, y = make_regression(60, 12, n_informative=4, noise=5.0, random_state=0)
    y = y / y.std()
    reference = Lasso(alpha=0.05, tol=1e-10, max_iter=100_000).fit(x, y)
    net = nn.Linear(12, 1).double()
    made = torch.optim.SGD(net.parameters(), lr=0.05)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    for _ in range(3000):
        made.zero_grad()
        (net(inputs).squeeze(1) - targets).square().mean().backward()
        made.step()
        soft_threshold_(made, 0.1)
    found = net.weight.detach().numpy()[0]
    np.testing.assert_allclose(found, reference.coef_, atol=1e-6)
    assert ((found == 0) == (reference.coef_ == 0)).all() and 0 < (found == 0).sum() < 12
    assert sparsity(net) == (found == 0).mean()


def test_l1_follows_the_lr_of_each_group_and_spares_biases():
    first, second, bias = nn.Parameter(torch.tensor([[0.5, -0.02]])), nn.Parameter(torch.ones(1, 1)), torch.ones(1)
    slow, fast = {"params": [first], "lr": 0.1}, {"params": [second, nn.Parameter(bias)]}
    soft_threshold_(torch.optim.SGD([slow, fast], lr=1.0), 0.5)
    assert first.tolist() == [[pytest.approx(0.45), 0.0]]
    assert second.item() == 0.5 and bias.item() == 1


def test_l1_acts_after_every_step_of_training():
    probe = fit([{"l1": 0.3}])
    assert [(seen == 0).any() for seen in probe.weights[-1:]] == [True]
    assert sparsity(probe.net) > 0
    assert not (flat(Probe().net)[:12] == 0).any()


def test_the_sparsity_of_a_run_can_be_claimed(tmp_path):
    recipe = {
        "task": "classification",
        "data": {"source": {"blobs": {"n_samples": 120, "n_features": 20}}},
        "model": {"mlp": {"hidden": [16]}},
        "regularize": {"l1": 3.0},
        "train": {"epochs": 3, "batch_size": 8},
        "expect": {"test/sparsity": ">= 0.3", "val/sparsity": "<= 1"},
    }
    path = tmp_path / "sparse.yaml"
    path.write_text(yaml.safe_dump(recipe))
    run = dlx.train(path, root=tmp_path / "runs")
    assert run.claims_hold and 0.3 <= run.metrics["test/sparsity"] < 1
