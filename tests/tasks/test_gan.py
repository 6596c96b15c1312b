"""Generative adversarial networks against the losses of the papers and a loop written by hand."""

import copy

import pytest
import torch
from kit import build, fit, measure
from torch.nn import functional as F
from unlabeled_inputs import first_batch, make_small_plan

from dlx.tasks._generative.gan_module import ADVERSARIAL_LOSSES, squared_gradient_norm


def test_adversarial_losses_are_those_of_the_papers():
    real, fake = torch.randn(9), torch.randn(9)
    p, q = real.sigmoid(), fake.sigmoid()
    expected = {
        "minimax": (-p.log() - (1 - q).log(), (1 - q).log()),
        "non_saturating": (-p.log() - (1 - q).log(), -q.log()),
        "least_squares": (0.5 * (real - 1) ** 2 + 0.5 * fake**2, 0.5 * (fake - 1) ** 2),
        "hinge": ((1 - real).clamp_min(0) + (1 + fake).clamp_min(0), -fake),
        "wasserstein": (fake - real, -fake),
    }
    assert set(ADVERSARIAL_LOSSES) == set(expected)
    for name, (of_discriminator, of_generator) in ADVERSARIAL_LOSSES.items():
        assert torch.allclose(of_discriminator(real, fake), expected[name][0], atol=1e-6), name
        assert torch.allclose(of_generator(fake), expected[name][1], atol=1e-6), name


def test_training_is_the_loop_that_one_would_write_by_hand(tmp_path):
    optimizer = {"generator": {"adam": {"lr": 0.02}}, "discriminator": {"adam": {"lr": 0.005}}}
    plan = make_small_plan({"type": "gan", "latent_dim": 3, "critic_steps": 2}, tmp_path, optimizer=optimizer)
    module, batches = build(plan)
    twin = copy.deepcopy(module.networks)
    torch.manual_seed(7)
    fit(plan, module, batches)
    torch.manual_seed(7)
    generator, critic = twin["generator"], twin["discriminator"]
    move_g = torch.optim.Adam(generator.parameters(), lr=0.02)
    move_d = torch.optim.Adam(critic.parameters(), lr=0.005)
    batches["train"].set_epoch(0)
    ones, bce = torch.ones(32, 1), F.binary_cross_entropy_with_logits
    for step, batch in zip(range(4), batches["train"], strict=False):
        made_up = generator(torch.randn(32, 3)).detach()
        move_d.zero_grad()
        (bce(critic(batch["numeric"]), ones) + bce(critic(made_up), 0 * ones)).backward()
        move_d.step()
        if step % 2:
            move_g.zero_grad()
            bce(critic(generator(torch.randn(32, 3))), ones).backward()
            move_g.step()
    for ours, theirs in zip(module.networks.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_gradient_penalties_of_a_linear_critic_are_those_of_its_weights(tmp_path):
    task = {"type": "wgan", "latent_dim": 3, "gradient_penalty_weight": 10.0}
    model = {"generator": {"layers": ["identity"]}, "discriminator": {"layers": ["identity"]}}
    module, batches = build(make_small_plan(task, tmp_path, model=model))
    x = first_batch(batches)["numeric"]
    weight = next(module.networks["discriminator"].parameters())
    with torch.no_grad():
        weight.copy_(torch.tensor([[3.0, 4.0]]))
    assert module.gradient_penalty(x, -x, {"interpolation": torch.rand(len(x))}).item() == pytest.approx(
        10 * (5 - 1) ** 2, rel=1e-5
    )
    at = x.clone().requires_grad_()
    assert torch.allclose(squared_gradient_norm(module.score(at, None), at), torch.full((len(x),), 25.0))
    gan, _ = build(make_small_plan({"type": "gan", "latent_dim": 3, "r1_gamma": 0.2}, tmp_path, model=model))
    gan.networks.load_state_dict(module.networks.state_dict())
    assert gan.gradient_penalty(x, -x, {}).item() == pytest.approx(0.1 * 25, rel=1e-5)


def test_the_penalty_is_at_points_between_samples_and_data(tmp_path):
    plan = make_small_plan({"type": "wgan", "latent_dim": 3, "gradient_penalty_weight": 10.0}, tmp_path)
    module, batches = build(plan)
    module.score = lambda x, label_B: 0.5 * x.square().sum(1)  # whose gradient is x itself
    batch = module.prepare_step(first_batch(batches))
    share = batch["interpolation"]
    assert len(share.unique()) == len(share) and 0 <= share.min() < 0.3 and 0.7 < share.max() < 1
    real, generated = batch["numeric"], torch.randn_like(batch["numeric"])
    norms = (share[:, None] * real + (1 - share[:, None]) * generated).norm(dim=1)
    penalty = module.gradient_penalty(real, generated, batch)
    assert penalty.item() == pytest.approx(10 * (norms - 1).square().mean().item(), rel=1e-4)


def test_weight_clipping_bounds_the_critic_alone(tmp_path):
    plan = make_small_plan(
        {"type": "wgan", "latent_dim": 3, "lipschitz": "weight_clipping", "clip_value": 0.03, "critic_steps": 1},
        tmp_path,
    )
    module, batches = build(plan)
    fit(plan, module, batches)
    assert max(p.abs().max() for p in module.networks["discriminator"].parameters()) <= 0.03
    assert max(p.abs().max() for p in module.networks["generator"].parameters()) > 0.03


def test_a_conditional_generator_makes_what_it_is_asked_for(tmp_path):
    conditioned = {
        "layers": [{"branches": {"join": "concat", "of": ["identity", {"label_embedding": 4}]}}, {"linear": 8}]
    }
    plan = make_small_plan({"type": "gan", "latent_dim": 3, "conditional": True}, tmp_path, model=conditioned)
    module, batches = build(plan)
    fit(plan, module, batches)
    assert torch.equal(module.sample(8, 1), module.sample(8, 1))
    assert not torch.equal(module.sample(8, 1), module.sample(8, 2))
    in_turn = module.sample(8, 1)
    assert torch.allclose(in_turn[3], module.sample(8, 1, label=3)[3])
    assert not torch.allclose(in_turn[3], module.sample(8, 1, label=4)[3])


def test_collapse_is_reported(tmp_path):
    plan = make_small_plan({"type": "gan", "latent_dim": 3, "metrics": ["modes_covered", "diversity"]}, tmp_path)
    module, batches = build(plan)
    with torch.no_grad():
        for parameter in module.networks["generator"].parameters():
            parameter.zero_()
    found = measure(plan, module, batches)
    assert found == {"test/modes_covered": 0.0, "test/diversity": 0.0}
    assert ["covers 0 of 8 modes" in note or "0.00 times" in note for note in module.notes] == [True, True]
