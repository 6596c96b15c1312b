"""Autoencoders against hand-written loops, closed forms, and torchmetrics."""

import copy

import pytest
import torch
import torchmetrics
from kit import build, fit, measure
from torch import nn
from torch.distributions import Bernoulli, kl_divergence
from torch.nn import functional as F
from unlabeled_inputs import UNIT, first_batch, make_small_plan

from dlx.errors import RecipeError
from dlx.tasks._generative.autoencoder_module import bernoulli_kl, contractive_penalty
from dlx.tasks._unsupervised.module import FixedNoise


def test_encoder_and_decoder_move_as_one_network_would(tmp_path):
    plan = make_small_plan({"type": "autoencoder", "latent_dim": 3}, tmp_path)
    module, batches = build(plan)
    twin = copy.deepcopy(module.networks)
    fit(plan, module, batches)
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.01)
    batches["train"].set_epoch(0)
    for _, batch in zip(range(4), batches["train"], strict=False):
        optimizer.zero_grad()
        F.mse_loss(twin["decoder"](twin["encoder"](batch["numeric"])), batch["numeric"]).backward()
        optimizer.step()
    for ours, theirs in zip(module.networks.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_contractive_penalty_is_on_average_the_closed_form_of_a_sigmoid_layer():
    torch.manual_seed(0)
    layer, x = nn.Linear(5, 4), torch.randn(6, 5, requires_grad=True)
    code = layer(x).sigmoid()
    exact = ((code * (1 - code)).square() @ layer.weight.square().sum(1)).mean()
    estimates = [contractive_penalty(code, x, torch.randn_like(code)).item() for _ in range(3000)]
    assert sum(estimates) / len(estimates) == pytest.approx(exact.item(), rel=0.05)


def test_the_loss_of_each_sample_is_its_own_binary_cross_entropy(tmp_path):
    module, batches = build(make_small_plan({"type": "autoencoder", "loss": "bce"}, tmp_path, UNIT))
    x = first_batch(batches)["image"]
    decoded = torch.randn_like(x)
    expected = [F.binary_cross_entropy_with_logits(d, y).item() for d, y in zip(decoded, x, strict=True)]
    assert module.reconstruction_loss(decoded, x).tolist() == pytest.approx(expected, rel=1e-5)


def test_sparsity_is_the_kl_divergence_of_bernoullis():
    p = torch.tensor([0.01, 0.2, 0.9])
    expected = kl_divergence(Bernoulli(torch.tensor(0.05)), Bernoulli(p))
    assert torch.allclose(bernoulli_kl(0.05, p), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("noise", "noise_level", "share"), [("masking", 0.3, {0.0: 0.3}), ("salt_and_pepper", 0.2, {-2.0: 0.1, 3.0: 0.1})]
)
def test_noise_changes_as_many_numbers_as_it_should(noise, noise_level, share, tmp_path):
    module, _ = build(make_small_plan({"type": "autoencoder", "noise": noise, "noise_level": noise_level}, tmp_path))
    module.low, module.high = -2.0, 3.0
    x = torch.full((20_000,), 1.5)
    seen = module.add_noise(x, torch.randn_like(x))
    for value, expected in share.items():
        assert (seen == value).float().mean().item() == pytest.approx(expected, abs=0.01)
    assert (seen == 1.5).float().mean().item() == pytest.approx(1 - sum(share.values()), abs=0.01)


def test_psnr_and_its_gain_are_those_of_torchmetrics(tmp_path):
    task = {"type": "autoencoder", "noise": "gaussian", "noise_level": 0.2}
    plan = make_small_plan(task, tmp_path, UNIT)
    module, batches = build(plan)
    found = measure(plan, module, batches)
    batch = first_batch(batches, "test")
    x = batch["image"]
    seen = x + 0.2 * FixedNoise()(torch.arange(len(x)), x.shape[1:])
    again = module.networks["decoder"](module.networks["encoder"](seen))
    psnr = torchmetrics.image.PeakSignalNoiseRatio(data_range=1.0, reduction="elementwise_mean", dim=(1, 2, 3))
    assert found["test/psnr"] == pytest.approx(psnr(again, x).item(), abs=1e-3)
    assert found["test/psnr_gain"] == pytest.approx((psnr(again, x) - psnr(seen, x)).item(), abs=1e-3)


def test_values_outside_of_zero_to_one_are_refused_where_they_have_no_likelihood(tmp_path):
    for task in ({"type": "autoencoder", "loss": "bce"}, {"type": "vae", "likelihood": "bernoulli"}):
        with pytest.raises(RecipeError, match=r"between 0 and 1.*scale: 0\.0625"):
            make_small_plan(task, tmp_path, {**UNIT, "transforms": []})
        make_small_plan(task, tmp_path, UNIT)


def test_an_optimizer_that_evaluates_again_is_refused_where_two_networks_share_a_gradient(tmp_path):
    with pytest.raises(RecipeError, match="several networks of autoencoder move"):
        make_small_plan("autoencoder", tmp_path, optimizer={"encoder": "lbfgs", "decoder": "adam"})
