"""Autoencoders, VAEs and GANs against closed forms, torch.distributions and hand-written loops."""

import copy
import io
import math

import pytest
import torch
import torchmetrics
from rich.console import Console
from torch import nn
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence
from torch.nn import functional as F

from dlx.data.prepare import prepare
from dlx.engine.build.experiment import build, build_batches, build_module
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.fit import FaultTolerantFit
from dlx.engine.training.signals import SignalHandler
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import RecipeError
from dlx.layers import Layer
from dlx.metrics import Metric
from dlx.nn.filters import first_filters
from dlx.plan import make
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe
from dlx.tasks._generative.autoencoder_module import bernoulli_kl, contractive_penalty
from dlx.tasks._generative.gan_module import ADVERSARIAL_LOSSES, squared_gradient_norm
from dlx.tasks._generative.latent import slerp
from dlx.tasks._unsupervised.module import FixedNoise
from dlx.tasks.vae.module import kl_divergence as normal_kl
from dlx.tasks.vae.module import traverse
from dlx.tensors import TensorSpec

RING = {"gaussians": {"n_samples": 300}}
UNIT = {"source": {"sklearn": "digits"}, "transforms": [{"scale": 0.0625}]}


def planned(task, folder, data=None, **changes):
    recipe = {
        "task": task,
        "data": data or {"source": RING},
        "model": {"layers": ["flatten", {"linear": 8}, "tanh"]},
        "optimizer": {"adam": {"lr": 0.01}},
        "train": {"steps": 4, "batch_size": 32},
        "hardware": {"accelerator": "cpu", "num_threads": 1},
    }
    return make(LoadedRecipe(Recipe.model_validate({**recipe, **changes}), folder))


def made(plan):
    prepared = prepare(plan.recipe.data, plan.base, plan.recipe.task.target_kind)
    return build_module(plan), build_batches(plan, prepared)


def fit(plan, module, batches):
    with silence_lightning():
        build_trainer(plan).fit(module, ChunkLoader(batches["train"], plan.length.steps, at_most=1))
    return module


def first_of(batches, split="train"):
    return next(iter(batches[split]))


# -- autoencoders ------------------------------------------------------------------------------------------------------


def test_encoder_and_decoder_move_as_one_network_would(tmp_path):
    plan = planned({"type": "autoencoder", "latent_dim": 3}, tmp_path)
    module, batches = made(plan)
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


def test_sparsity_is_the_kl_divergence_of_bernoullis():
    p = torch.tensor([0.01, 0.2, 0.9])
    expected = kl_divergence(Bernoulli(torch.tensor(0.05)), Bernoulli(p))
    assert torch.allclose(bernoulli_kl(0.05, p), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("noise", "noise_level", "share"), [("masking", 0.3, {0.0: 0.3}), ("salt_and_pepper", 0.2, {-2.0: 0.1, 3.0: 0.1})]
)
def test_noise_changes_as_many_numbers_as_it_should(noise, noise_level, share, tmp_path):
    module, _ = made(planned({"type": "autoencoder", "noise": noise, "noise_level": noise_level}, tmp_path))
    module.low, module.high = -2.0, 3.0
    x = torch.full((20_000,), 1.5)
    seen = module.add_noise(x, torch.randn_like(x))
    for value, expected in share.items():
        assert (seen == value).float().mean().item() == pytest.approx(expected, abs=0.01)
    assert (seen == 1.5).float().mean().item() == pytest.approx(1 - sum(share.values()), abs=0.01)


def test_psnr_and_its_gain_are_those_of_torchmetrics(tmp_path):
    task = {"type": "autoencoder", "noise": "gaussian", "noise_level": 0.2}
    module, batches = made(planned(task, tmp_path, UNIT))
    with silence_lightning():
        (found,) = build_trainer(planned(task, tmp_path, UNIT)).test(module, batches["test"], verbose=False)
    batch = first_of(batches, "test")
    x = batch["image"]
    seen = x + 0.2 * FixedNoise()(torch.arange(len(x)), x.shape[1:])
    again = module.networks["decoder"](module.networks["encoder"](seen))
    measure = torchmetrics.image.PeakSignalNoiseRatio(data_range=1.0, reduction="elementwise_mean", dim=(1, 2, 3))
    assert found["test/psnr"] == pytest.approx(measure(again, x).item(), abs=1e-3)
    assert found["test/psnr_gain"] == pytest.approx((measure(again, x) - measure(seen, x)).item(), abs=1e-3)


def test_values_outside_of_zero_to_one_are_refused_where_they_have_no_likelihood(tmp_path):
    for task in ({"type": "autoencoder", "loss": "bce"}, {"type": "vae", "likelihood": "bernoulli"}):
        with pytest.raises(RecipeError, match=r"between 0 and 1.*scale: 0\.0625"):
            planned(task, tmp_path, {**UNIT, "transforms": []})
        planned(task, tmp_path, UNIT)


def test_an_optimizer_that_evaluates_again_is_refused_where_two_networks_share_a_gradient(tmp_path):
    with pytest.raises(RecipeError, match="several networks of autoencoder move"):
        planned("autoencoder", tmp_path, optimizer={"encoder": "lbfgs", "decoder": "adam"})


# -- anomalies ---------------------------------------------------------------------------------------------------------

HELD_OUT = {"source": {"sklearn": "digits"}, "split": {"holdout_classes": ["3"], "val": 0.2, "test": 0.2}}


def test_nothing_is_learned_from_unseen_classes_and_auroc_ranks_them(tmp_path):
    plan = planned({"type": "anomaly", "labeled": True, "quantile": 0.8}, tmp_path, HELD_OUT)
    module, batches = made(plan)
    assert all(3 not in batch["target"] for batch in batches["train"])
    assert plan.facts.class_counts[3] == 0 < plan.facts.class_counts[2]
    with silence_lightning():
        build_trainer(plan).fit(module, ChunkLoader(batches["train"], 4), batches["val"])
        (found,) = build_trainer(plan).validate(module, batches["val"], verbose=False)
    whole = [module.predict_step(b, 0)[:, 0] for b in batches["val"]]
    score, anomalous = torch.cat(whole), torch.cat([b["target"] for b in batches["val"]]) == 3
    assert module.threshold.item() == pytest.approx(score[~anomalous].quantile(0.8).item(), rel=1e-5)
    above = score[anomalous][:, None] > score[~anomalous]
    assert found["val/auroc"] == pytest.approx(above.float().mean().item(), abs=1e-4)
    assert found["val/false_positive_rate"] == pytest.approx(0.2, abs=0.01)
    assert found["val/loss"] == pytest.approx(score[~anomalous].mean().item(), rel=1e-4)


def test_classes_that_are_not_there_cannot_be_unseen(tmp_path):
    from dlx.errors import DataError

    with pytest.raises(DataError, match="there is no class eleven"):
        planned({"type": "anomaly", "labeled": True}, tmp_path, {**HELD_OUT, "split": {"holdout_classes": ["eleven"]}})
    with pytest.raises(RecipeError, match="no class is an anomaly"):
        planned({"type": "anomaly", "labeled": True}, tmp_path, {"source": {"sklearn": "digits"}})


# -- variational autoencoders ------------------------------------------------------------------------------------------


def test_the_kl_divergence_is_that_of_torch_distributions():
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    assert torch.allclose(normal_kl(mean, log_variance), expected, atol=1e-6)


def linear_gaussian(tmp_path, samples):
    """A VAE whose decoder is x = W z + b, with orthogonal columns, so that the true posterior is diagonal."""
    task = {"type": "vae", "latent_dim": 2, "std": 0.7, "importance_samples": samples}
    data = {"source": {"blobs": {"n_samples": 2000}}}
    plan = planned(task, tmp_path, data, model={"layers": ["identity"]})
    module, batches = made(plan)
    weight, bias = torch.tensor([[1.5, -0.8], [1.5, 0.8]]), torch.tensor([1.0, -2.0])
    with torch.no_grad():
        (w, b) = module.networks["decoder"].parameters()
        w.copy_(weight), b.copy_(bias)
    precision = torch.eye(2) + weight.T @ weight / 0.49
    exact = MultivariateNormal(bias, weight @ weight.T + 0.49 * torch.eye(2))
    x = torch.cat([batch["numeric"] for batch in batches["test"]])
    return plan, module, batches, precision, (weight, bias), -exact.log_prob(x).mean().item()


def measured(plan, module, batches):
    with silence_lightning():
        (found,) = build_trainer(plan).test(module, batches["test"], verbose=False)
    return found


def test_the_bound_is_exact_where_the_encoder_is_the_true_posterior(tmp_path):
    plan, module, batches, precision, (weight, bias), exact = linear_gaussian(tmp_path, 4)
    assert torch.allclose(precision, torch.diag(precision.diagonal()))
    with torch.no_grad():
        (w, b) = module.networks["encoder"].parameters()
        gain = weight.T / 0.49 / precision.diagonal()[:, None]
        w.copy_(torch.cat([gain, torch.zeros(2, 2)]))
        b.copy_(torch.cat([-gain @ bias, -precision.diagonal().log()]))
    found = measured(plan, module, batches)
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
        bounds.append(measured(plan, module, batches))
    loose, tight = bounds[0]["test/iwae_loss"], bounds[1]["test/iwae_loss"]
    assert exact * 0.98 < tight < 0.5 * loose
    assert bounds[0]["test/kl"] == pytest.approx(0, abs=1e-6)


def test_beta_grows_over_the_annealing_and_free_bits_cost_nothing(tmp_path):
    plan = planned({"type": "vae", "latent_dim": 2, "beta": 3.0, "kl_annealing": 0.5, "free_bits": 50.0}, tmp_path)
    module, batches = made(plan)
    seen = []
    original = module.beta
    module.beta = lambda: seen.append(original()) or seen[-1]
    fit(plan, module, batches)
    assert seen == [0.0, 1.5, 3.0, 3.0]
    batch = first_of(batches)
    x = batch["numeric"]
    torch.manual_seed(0)
    mean, log_variance = module.encode(x)
    nll = module.negative_log_likelihood(mean + (0.5 * log_variance).exp() * torch.randn_like(mean), x).mean()
    module.beta = lambda: 1.0
    torch.manual_seed(0)
    assert module.loss(module.prepare_step(batch)).item() == pytest.approx(nll.item() + 2 * 50.0, rel=1e-5)


def test_the_likelihoods_are_those_of_torch_distributions(tmp_path):
    for likelihood, of in (("gaussian", lambda y: Normal(y, 0.5)), ("bernoulli", lambda y: Bernoulli(logits=y))):
        task = {"type": "vae", "latent_dim": 3, "likelihood": likelihood, "std": 0.5}
        module, batches = made(planned(task, tmp_path, {**UNIT, "transforms": [{"binarize": 8.0}]}))
        x, code = first_of(batches)["image"], torch.randn(32, 3)
        expected = -of(module.networks["decoder"](code)).log_prob(x).flatten(1).sum(1)
        assert torch.allclose(module.negative_log_likelihood(code, x), expected, rtol=1e-4)


# -- generative adversarial networks -----------------------------------------------------------------------------------


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
    plan = planned({"type": "gan", "latent_dim": 3, "critic_steps": 2}, tmp_path, optimizer=optimizer)
    module, batches = made(plan)
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
    module, batches = made(planned(task, tmp_path, model=model))
    x = first_of(batches)["numeric"]
    weight = next(module.networks["discriminator"].parameters())
    with torch.no_grad():
        weight.copy_(torch.tensor([[3.0, 4.0]]))
    assert module.gradient_penalty(x, -x, {"interpolation": torch.rand(len(x))}).item() == pytest.approx(
        10 * (5 - 1) ** 2, rel=1e-5
    )
    at = x.clone().requires_grad_()
    assert torch.allclose(squared_gradient_norm(module.score(at, None), at), torch.full((len(x),), 25.0))
    gan, _ = made(planned({"type": "gan", "latent_dim": 3, "r1_gamma": 0.2}, tmp_path, model=model))
    gan.networks.load_state_dict(module.networks.state_dict())
    assert gan.gradient_penalty(x, -x, {}).item() == pytest.approx(0.1 * 25, rel=1e-5)


def test_weight_clipping_bounds_the_critic_alone(tmp_path):
    plan = planned(
        {"type": "wgan", "latent_dim": 3, "lipschitz": "weight_clipping", "clip_value": 0.03, "critic_steps": 1},
        tmp_path,
    )
    module, batches = made(plan)
    fit(plan, module, batches)
    assert max(p.abs().max() for p in module.networks["discriminator"].parameters()) <= 0.03
    assert max(p.abs().max() for p in module.networks["generator"].parameters()) > 0.03


def test_a_conditional_generator_makes_what_it_is_asked_for(tmp_path):
    conditioned = {
        "layers": [{"branches": {"join": "concat", "of": ["identity", {"label_embedding": 4}]}}, {"linear": 8}]
    }
    plan = planned({"type": "gan", "latent_dim": 3, "conditional": True}, tmp_path, model=conditioned)
    module, batches = made(plan)
    fit(plan, module, batches)
    assert torch.equal(module.sample(8, 1), module.sample(8, 1))
    assert not torch.equal(module.sample(8, 1), module.sample(8, 2))
    in_turn = module.sample(8, 1)
    assert torch.allclose(in_turn[3], module.sample(8, 1, label=3)[3])
    assert not torch.allclose(in_turn[3], module.sample(8, 1, label=4)[3])


def test_collapse_is_reported(tmp_path):
    plan = planned({"type": "gan", "latent_dim": 3, "metrics": ["modes_covered", "diversity"]}, tmp_path)
    module, batches = made(plan)
    with torch.no_grad():
        for parameter in module.networks["generator"].parameters():
            parameter.zero_()
    with silence_lightning():
        (found,) = build_trainer(plan).test(module, batches["test"], verbose=False)
    assert found == {"test/modes_covered": 0.0, "test/diversity": 0.0}
    assert ["covers 0 of 8 modes" in note or "0.00 times" in note for note in module.notes] == [True, True]


def test_spectral_norm_divides_by_the_largest_singular_value():
    for layer, x in (
        ({"linear": 6}, TensorSpec((9,), "F")),
        ({"conv": {"channels": 6, "kernel": 3}}, TensorSpec((2, 5, 5), "CHW")),
    ):
        module = Layer.model_validate({"spectral_norm": {"layer": layer, "n_power_iterations": 50}}).build(x).train()
        module(torch.randn(2, *x.dims))
        assert torch.linalg.matrix_norm(module.layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)


# -- all of them -------------------------------------------------------------------------------------------------------

RESUMED = {
    "denoising": ({"type": "autoencoder", "noise": "masking", "noise_level": 0.3}, {}),
    "anomaly": ({"type": "anomaly", "labeled": True}, {"split": {"holdout_classes": ["0"]}}),
    "vae": ({"type": "vae", "latent_dim": 3, "kl_annealing": 5}, {}),
    "gan": ({"type": "gan", "critic_steps": 2, "latent_dim": 4}, {}),
    "wgan": ({"type": "wgan", "critic_steps": 3, "latent_dim": 4}, {}),
}


class Cut(BaseException):
    """The power goes out."""


def trained(plan, folder, cut=None):
    experiment = build(plan)
    train_batch, taken = experiment.module.train_batch, []

    def until(batch):
        taken.append(1)
        if len(taken) == cut:
            raise Cut
        train_batch(batch)

    experiment.module.train_batch = until
    with silence_lightning(), SignalHandler() as stoppable:
        FaultTolerantFit(folder, Console(file=io.StringIO()), None, {}, stoppable, lambda *_: None)(experiment)
    return load_checkpoint(list_checkpoints(folder)[0])


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_that_was_cut_off_ends_as_one_that_never_was(name, tmp_path):
    task, split = RESUMED[name]
    spectral = {"layers": ["flatten", {"spectral_norm": {"layer": {"linear": 8}}}, "batch_norm", "tanh"]}
    changes = {
        "model": spectral,
        "train": {
            "epochs": 3,
            "batch_size": 32,
            "limit_train_samples": 100,
            "limit_val_samples": 40,
            "checkpoint_every_n_seconds": 1e-9,
        },
        "schedule": {"cosine": {}},
    }
    plan = planned(task, tmp_path, {"source": {"sklearn": "digits"}, **split}, **changes)
    whole = trained(plan, tmp_path / "whole")
    with pytest.raises(Cut):
        trained(plan, tmp_path / "cut", cut=7)
    again = trained(plan, tmp_path / "cut")
    assert whole["global_step"] == again["global_step"] == 12
    assert whole["state_dict"].keys() == again["state_dict"].keys()
    assert all(torch.equal(value, again["state_dict"][key]) for key, value in whole["state_dict"].items())
    assert torch.equal(whole["loss_curve"]["last"], again["loss_curve"]["last"])
    states = [
        [s for o in c["optimizer_states"] for p in o["state"].values() for s in p.values()] for c in (whole, again)
    ]
    assert len(states[0]) >= 12 and all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_noise_of_a_sample_does_not_depend_on_its_batch():
    noise = FixedNoise()
    assert torch.equal(noise(torch.arange(50), (3,))[20:30], FixedNoise()(torch.arange(20, 30), (3,)))
    assert noise(torch.arange(4096), (3,)).std().item() == pytest.approx(1, abs=0.02)
    assert math.isclose(noise(torch.arange(4096), (3,)).mean().item(), 0, abs_tol=0.02)


# -- samples -----------------------------------------------------------------------------------------------------------


def test_an_arc_keeps_its_distance_from_the_middle_and_ends_where_it_should():
    one, other = (F.normalize(torch.randn(4, 6), dim=1) * 2 for _ in range(2))
    way = slerp(one, other, 7)
    assert torch.allclose(way[:, 0], one, atol=1e-5) and torch.allclose(way[:, -1], other, atol=1e-5)
    assert torch.allclose(way.norm(dim=2), torch.full((4, 7), 2.0), atol=1e-4)
    step = torch.cosine_similarity(way[:, 1:], way[:, :-1], dim=2)
    assert torch.allclose(step, step[:, :1].expand_as(step), atol=1e-4)
    assert torch.allclose(slerp(one, 3 * one, 3)[:, 1], 2 * one, atol=1e-5)


def test_a_traversal_changes_one_number_at_a_time():
    codes = traverse(torch.randn(50, 4) * torch.tensor([0.1, 3.0, 0.5, 1.0]))
    assert [row.abs().sum(0).argmax().item() for row in codes] == [1, 3, 2, 0]
    assert ((codes != 0).sum(2) <= 1).all() and codes.abs().max() == 2.5


def test_samples_of_a_vae_are_measured_as_they_are_drawn(tmp_path):
    task = {"type": "vae", "latent_dim": 2, "metrics": ["mmd", "modes_covered"]}
    plan = planned(task, tmp_path)
    module, batches = made(plan)
    found = measured(plan, module, batches)
    elements = plan.network_facts.input.elements
    assert found["test/bits_per_dimension"] == pytest.approx(found["test/loss"] / elements / math.log(2), rel=1e-5)
    real = torch.cat([batch["numeric"] for batch in batches["test"]])
    noise = FixedNoise(seed=1)(torch.arange(len(real)), (2,))
    meter = Metric.model_validate("mmd").build(plan.network_facts)
    with torch.no_grad():
        meter.update(module.decode(noise), real)
    assert found["test/mmd"] == pytest.approx(meter.compute().item(), rel=1e-4)
    with pytest.raises(RecipeError, match="accuracy compares predictions, not samples"):
        planned({"type": "vae", "metrics": ["accuracy"]}, tmp_path)


def test_filters_are_the_weights_of_the_first_layer(tmp_path):
    image = TensorSpec((1, 8, 8), "CHW")
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Linear(5, 2))
    filters = first_filters(linear, image)
    assert filters.shape == (5, 1, 8, 8) and filters.min() >= 0 and filters.max() <= 1
    weight = linear[1].weight[0].view(8, 8)
    assert torch.allclose(filters[0, 0], 0.5 + 0.5 * weight / weight.abs().max())
    assert first_filters(nn.Conv2d(1, 3, 5), image).shape == (3, 1, 5, 5)
    assert first_filters(nn.Conv2d(1, 3, 1), image) is None
    assert first_filters(nn.Linear(4, 3), TensorSpec((4,), "F")) is None
