"""Variational autoencoders against torch.distributions and a case with an exact likelihood."""

import math

import pytest
import torch
from kit import build, fit, measure
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence
from unlabeled_inputs import UNIT, first_batch, make_small_plan

from dlx.errors import RecipeError
from dlx.metrics import Metric
from dlx.tasks._unsupervised.module import FixedNoise
from dlx.tasks.vae.module import kl_divergence as normal_kl
from dlx.tasks.vae.module import traverse


def test_the_kl_divergence_is_that_of_torch_distributions():
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    assert torch.allclose(normal_kl(mean, log_variance), expected, atol=1e-6)


def linear_gaussian(tmp_path, samples):
    """A VAE whose decoder is x = W z + b, with orthogonal columns, so that the true posterior is diagonal."""
    task = {"type": "vae", "latent_dim": 2, "std": 0.7, "importance_samples": samples}
    data = {"source": {"blobs": {"n_samples": 2000}}}
    plan = make_small_plan(task, tmp_path, data, model={"layers": ["identity"]})
    module, batches = build(plan)
    weight, bias = torch.tensor([[1.5, -0.8], [1.5, 0.8]]), torch.tensor([1.0, -2.0])
    with torch.no_grad():
        (w, b) = module.networks["decoder"].parameters()
        w.copy_(weight), b.copy_(bias)
    precision = torch.eye(2) + weight.T @ weight / 0.49
    exact = MultivariateNormal(bias, weight @ weight.T + 0.49 * torch.eye(2))
    x = torch.cat([batch["numeric"] for batch in batches["test"]])
    return plan, module, batches, precision, (weight, bias), -exact.log_prob(x).mean().item()


def test_the_bound_is_exact_where_the_encoder_is_the_true_posterior(tmp_path):
    plan, module, batches, precision, (weight, bias), exact = linear_gaussian(tmp_path, 4)
    assert torch.allclose(precision, torch.diag(precision.diagonal()))
    with torch.no_grad():
        (w, b) = module.networks["encoder"].parameters()
        gain = weight.T / 0.49 / precision.diagonal()[:, None]
        w.copy_(torch.cat([gain, torch.zeros(2, 2)]))
        b.copy_(torch.cat([-gain @ bias, -precision.diagonal().log()]))
    found = measure(plan, module, batches)
    assert found["test/iwae_loss"] == pytest.approx(exact, rel=1e-4)
    assert found["test/loss"] == pytest.approx(found["test/reconstruction_loss"] + found["test/kl"], rel=1e-5)
    assert found["test/loss"] == pytest.approx(exact, rel=0.03)  # one draw for each of 200 samples


def test_more_importance_samples_come_closer_to_the_exact_likelihood(tmp_path):
    bounds = []
    for samples in (1, 512):
        plan, module, batches, _, _, exact = linear_gaussian(tmp_path, samples)
        with torch.no_grad():
            for parameter in module.networks["encoder"].parameters():
                parameter.zero_()
        bounds.append(measure(plan, module, batches))
    loose, tight = bounds[0]["test/iwae_loss"], bounds[1]["test/iwae_loss"]
    assert exact * 0.98 < tight < 0.5 * loose
    assert bounds[0]["test/kl"] == pytest.approx(0, abs=1e-6)


def test_beta_grows_over_the_annealing_and_free_bits_cost_nothing(tmp_path):
    plan = make_small_plan(
        {"type": "vae", "latent_dim": 2, "beta": 3.0, "kl_annealing": 0.5, "free_bits": 50.0}, tmp_path
    )
    module, batches = build(plan)
    seen = []
    original = module.beta
    module.beta = lambda: seen.append(original()) or seen[-1]
    fit(plan, module, batches)
    assert seen == [0.0, 1.5, 3.0, 3.0]
    batch = first_batch(batches)
    x = batch["numeric"]
    torch.manual_seed(0)
    mean, log_variance = module.encode(x)
    nll = module.negative_log_likelihood(mean + (0.5 * log_variance).exp() * torch.randn_like(mean), x).mean()
    module.beta = lambda: 1.0
    torch.manual_seed(0)
    assert module.loss(module.prepare_step(batch)).item() == pytest.approx(nll.item() + 2 * 50.0, rel=1e-5)


@pytest.mark.parametrize("beta", [0.0, 4.0])
def test_the_measured_bound_is_that_of_a_beta_of_one(beta, tmp_path):
    plan = make_small_plan({"type": "vae", "latent_dim": 2, "beta": beta}, tmp_path)
    found = measure(plan, *build(plan))
    assert found["test/kl"] > 0.01
    assert found["test/loss"] == pytest.approx(found["test/reconstruction_loss"] + found["test/kl"], rel=1e-5)


def test_the_likelihoods_are_those_of_torch_distributions(tmp_path):
    for likelihood, of in (("gaussian", lambda y: Normal(y, 0.5)), ("bernoulli", lambda y: Bernoulli(logits=y))):
        task = {"type": "vae", "latent_dim": 3, "likelihood": likelihood, "std": 0.5}
        module, batches = build(make_small_plan(task, tmp_path, {**UNIT, "transforms": [{"binarize": 8.0}]}))
        x, code = first_batch(batches)["image"], torch.randn(32, 3)
        expected = -of(module.networks["decoder"](code)).log_prob(x).flatten(1).sum(1)
        assert torch.allclose(module.negative_log_likelihood(code, x), expected, rtol=1e-4)


def test_a_traversal_changes_one_number_at_a_time():
    codes = traverse(torch.randn(50, 4) * torch.tensor([0.1, 3.0, 0.5, 1.0]))
    assert [row.abs().sum(0).argmax().item() for row in codes] == [1, 3, 2, 0]
    assert ((codes != 0).sum(2) <= 1).all() and codes.abs().max() == 2.5


def test_samples_of_a_vae_are_measured_as_they_are_drawn(tmp_path):
    task = {"type": "vae", "latent_dim": 2, "metrics": ["mmd", "modes_covered"]}
    plan = make_small_plan(task, tmp_path)
    module, batches = build(plan)
    found = measure(plan, module, batches)
    elements = plan.network_facts.input.elements
    assert found["test/bits_per_dimension"] == pytest.approx(found["test/loss"] / elements / math.log(2), rel=1e-5)
    real = torch.cat([batch["numeric"] for batch in batches["test"]])
    noise = FixedNoise(seed=1)(torch.arange(len(real)), (2,))
    meter = Metric.model_validate("mmd").build(plan.network_facts)
    with torch.no_grad():
        meter.update(module.decode(noise), real)
    assert found["test/mmd"] == pytest.approx(meter.compute().item(), rel=1e-4)
    with pytest.raises(RecipeError, match="accuracy compares predictions, not samples"):
        make_small_plan({"type": "vae", "metrics": ["accuracy"]}, tmp_path)
