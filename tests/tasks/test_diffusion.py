"""Diffusion against closed forms: what noise does to samples, the way back, and a case with an exact denoiser."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from dlx.facts import DataFacts
from dlx.models import Model
from dlx.optimizers import Optimizer
from dlx.schedules import Schedule
from dlx.tasks import Learning, Task
from dlx.tasks.diffusion.noise_scheduler import (
    NoiseScheduler,
    cosine_alphas_cumprod,
    ddim_step,
    ddpm_step,
    linear_alphas_cumprod,
    sampling_timesteps,
)
from dlx.tensors import Stats, TensorSpec

ALPHAS = {"linear": linear_alphas_cumprod, "cosine": cosine_alphas_cumprod}
every_noise = pytest.mark.parametrize("noise", ALPHAS)


@every_noise
def test_alphas_fall_from_one_to_almost_nothing(noise):
    levels = np.array(ALPHAS[noise](1000))
    assert levels[0] == 1 and levels[-1] < 1e-4 and (np.diff(levels) < 0).all()


def test_alphas_are_the_papers():
    betas = np.linspace(1e-4, 0.02, 1000)
    assert np.allclose(linear_alphas_cumprod(1000)[1:], np.cumprod(1 - betas))
    t = np.arange(1001) / 1000
    curve = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    assert np.allclose(cosine_alphas_cumprod(1000)[:-1], (curve / curve[0])[:-1], rtol=1e-6)


@pytest.mark.parametrize("timesteps", [50, 200, 4000])
def test_another_number_of_steps_ends_in_as_much_noise(timesteps):
    """β is scaled by 1000 / T, as in Nichol & Dhariwal's code, so that ᾱ falls as it does over 1,000 steps."""
    betas = 1000 / timesteps * np.linspace(1e-4, 0.02, timesteps)
    assert np.allclose(linear_alphas_cumprod(timesteps)[1:], np.cumprod(1 - betas))
    whole = linear_alphas_cumprod(1000)
    for share in (0.1, 0.5):
        here = linear_alphas_cumprod(timesteps)[round(share * timesteps)]
        assert here == pytest.approx(whole[round(share * 1000)], abs=0.02)


@every_noise
def test_a_noised_sample_has_the_moments_of_many_small_steps(noise):
    """x after t steps, against t steps of the chain itself."""
    levels = ALPHAS[noise](50)
    scheduler = NoiseScheduler(levels)
    torch.manual_seed(0)
    x = torch.tensor([1.5]).repeat(200_000)
    state = x.clone()
    for t in range(1, 31):
        kept = levels[t] / levels[t - 1]
        state = math.sqrt(kept) * state + math.sqrt(1 - kept) * torch.randn_like(state)
    at_once = scheduler.add_noise(x, torch.full((len(x),), 30), torch.randn_like(x))
    assert at_once.mean().item() == pytest.approx(state.mean().item(), abs=0.01)
    assert at_once.std().item() == pytest.approx(state.std().item(), abs=0.01)
    assert at_once.mean().item() == pytest.approx(1.5 * math.sqrt(levels[30]), abs=0.01)


@pytest.mark.parametrize("s", [0, 1, 9, 19])
def test_the_posterior_is_that_of_two_gaussians(s):
    """q(x_s | x_t, x_0) ∝ q(x_t | x_s) q(x_s | x_0), whose precisions add up."""
    levels, t, x, x_t = cosine_alphas_cumprod(30), 20, 0.7, -1.2
    mean, deviation = NoiseScheduler(levels).posterior(torch.tensor(x), torch.tensor(x_t), t, s)
    kept = levels[t] / levels[s]
    if s == 0:
        assert (mean.item(), deviation) == (pytest.approx(x), 0)
        return
    ahead, behind = kept / (1 - kept), 1 / (1 - levels[s])
    variance = 1 / (ahead + behind)
    expected = variance * (math.sqrt(kept) * x_t / (1 - kept) + math.sqrt(levels[s]) * x / (1 - levels[s]))
    assert mean.item() == pytest.approx(expected, rel=1e-5)
    assert deviation == pytest.approx(math.sqrt(variance), rel=1e-5)


@pytest.mark.parametrize("s", [0, 7, 19])
def test_ddim_with_eta_one_is_ddpm_step(s):
    scheduler, x, x_t, fresh = NoiseScheduler(linear_alphas_cumprod(30)), *torch.randn(3, 5, 2)
    one = ddim_step(1.0)(scheduler, x, x_t, 20, s, fresh)
    assert torch.allclose(one, ddpm_step(scheduler, x, x_t, 20, s, fresh), atol=1e-5)
    assert not torch.allclose(one, ddim_step(0.0)(scheduler, x, x_t, 20, s, fresh), atol=1e-3) or s == 0


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_back_with_the_truth_keeps_the_moments(eta):
    """From x_t of a known x_0, the state after s steps is as if x_0 had got noise for s steps."""
    scheduler, t, s = NoiseScheduler(cosine_alphas_cumprod(40)), 30, 12
    torch.manual_seed(0)
    x = torch.full((200_000,), 0.8)
    x_t = scheduler.add_noise(x, torch.full((len(x),), t), torch.randn_like(x))
    x_s = ddim_step(eta)(scheduler, x, x_t, t, s, torch.randn_like(x))
    assert x_s.mean().item() == pytest.approx(0.8 * math.sqrt(scheduler.alphas_cumprod[s]), abs=0.01)
    assert x_s.std().item() == pytest.approx(math.sqrt(1 - scheduler.alphas_cumprod[s]), abs=0.01)


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_whatever_is_predicted_means_the_same_sample(kind):
    scheduler, (x, eps) = NoiseScheduler(cosine_alphas_cumprod(40)), torch.randn(2, 6, 3)
    for t in (1, 20, 38):
        t_B = torch.full((6,), t)
        x_t = scheduler.add_noise(x, t_B, eps)
        prediction = scheduler.prediction_target(kind, x, t_B, eps)
        assert torch.allclose(scheduler.predicted_sample(kind, prediction, x_t, t), x, atol=1e-3)
        assert torch.allclose(scheduler.predicted_noise(x, x_t, t), eps, atol=1e-3)


def test_v_is_noise_at_first_and_the_sample_at_last():
    scheduler, (x, eps) = NoiseScheduler(cosine_alphas_cumprod(100)), torch.randn(2, 4, 3)
    assert torch.allclose(scheduler.prediction_target("v_prediction", x, torch.zeros(4, dtype=int), eps), eps)
    assert torch.allclose(scheduler.prediction_target("v_prediction", x, torch.full((4,), 100), eps), -x, atol=0.05)


def test_samplers_stop_at_even_times():
    assert sampling_timesteps(10, 10) == list(range(10, -1, -1))
    assert sampling_timesteps(1000, 4) == [1000, 750, 500, 250, 0]
    assert sampling_timesteps(10, 99) == sampling_timesteps(10, 10)


# -- the whole task --------------------------------------------------------------------------------------------------

MEAN, DEVIATION = 2.0, 0.5
GAUSSIAN = DataFacts(
    {"x": TensorSpec((1,), "F", stats=Stats((0.0,), (1.0,), (-99.0,), (99.0,)))}, ("x",), counts={"train": 9}
)


class Exact(nn.Module):
    """What the best of all networks predicts where the data are N(MEAN, DEVIATION²)."""

    takes_context = True

    def __init__(self, scheduler, prediction_type):
        super().__init__()
        self.scheduler, self.prediction_type = scheduler, prediction_type

    def forward(self, x_t, context=None):
        t_B = (context["time"] * self.scheduler.timesteps / 1000).round().long()
        signal, noise = self.scheduler.signal[t_B, None], self.scheduler.noise[t_B, None]
        gain = signal * DEVIATION**2 / (signal**2 * DEVIATION**2 + noise**2)
        x = MEAN + gain * (x_t - signal * MEAN)
        return self.scheduler.prediction_target(self.prediction_type, x, t_B, (x_t - signal * x) / noise)


def made(task, facts=GAUSSIAN, network=None):
    learning = Learning({"*": Optimizer.model_validate("adam")}, {"*": Schedule.model_validate("constant")})
    task = Task.model_validate({"type": "diffusion", **task})
    (role, wanted), *_ = task.roles(facts).items()
    if network is None:
        network = task.network(role, Model.model_validate({"denoiser_mlp": {"hidden": 8}}), facts).build(wanted.input)
    return task.build({role: network}, facts, learning)


@pytest.mark.parametrize("prediction_type", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize(
    "sampler",
    [{}, {"sampler": "ddim"}, {"sampler": "ddim", "eta": 0.7}, {"sampler": "ddim", "noise_schedule": "cosine"}],
)
def test_with_the_exact_denoiser_samples_are_the_data(prediction_type, sampler):
    module = made(
        {"prediction_type": prediction_type, "scaling": "none", "clip_sample": False, "sampling_steps": 200, **sampler}
    )
    module.networks["denoiser"] = Exact(module.scheduler, prediction_type)
    samples = module.sample(20_000, seed=1)
    assert samples.mean().item() == pytest.approx(MEAN, abs=0.02)
    assert samples.std().item() == pytest.approx(DEVIATION, abs=0.02)


def test_the_loss_with_the_exact_denoiser_is_the_noise_that_cannot_be_known():
    module = made({"scaling": "none", "prediction_type": "sample"})
    module.networks["denoiser"] = Exact(module.scheduler, "sample")
    torch.manual_seed(0)
    x, t_B = MEAN + DEVIATION * torch.randn(100_000, 1), torch.full((100_000,), 300)
    signal, noise = module.scheduler.signal[300].item(), module.scheduler.noise[300].item()
    left = 1 / (1 / DEVIATION**2 + signal**2 / noise**2)
    errors_B = module.errors(x, t_B, torch.randn_like(x), None)
    assert errors_B.mean().item() == pytest.approx(left, rel=0.02)


def test_the_same_seed_makes_the_same_samples_in_the_units_of_the_data():
    module = made({"sampling_steps": 5}).eval()
    assert torch.equal(module.sample(7, seed=3), module.sample(7, seed=3))
    assert not torch.equal(module.sample(7, seed=3), module.sample(7, seed=4))
    assert torch.equal(module.scaling.inverse(module.scaling(torch.tensor([[5.0]]))), torch.tensor([[5.0]]))


def test_images_are_scaled_to_their_range_and_kept_in_it():
    stats = Stats((3.0,), (2.0,), (-1.0,), (7.0,))
    facts = DataFacts({"image": TensorSpec((1, 2, 2), "CHW", stats=stats)}, ("image",), counts={"train": 9})
    module = made({"sampling_steps": 3}, facts, nn.Identity())
    assert module.scaling(torch.tensor([-1.0, 3.0, 7.0])).flatten().tolist() == [-1, 0, 1]
    samples = module.sample(50, seed=0)
    assert samples.min() >= -1 - 1e-5 and samples.max() <= 7 + 1e-5


class Constant(nn.Module):
    """Predicts far more than there is in the data, and far less."""

    def forward(self, x_t):
        return torch.tensor([[99.0], [-99.0]])


@pytest.mark.parametrize(("clip_sample", "expected"), [(True, [4.0, -2.0]), (False, [99.0, -99.0])])
def test_predicted_samples_are_clipped_to_the_scaled_range_of_the_train_split(clip_sample, expected):
    stats = Stats((2.0,), (0.5,), (1.0,), (4.0,))  # from (1 − 2) / 0.5 to (4 − 2) / 0.5
    facts = DataFacts({"x": TensorSpec((1,), "F", stats=stats)}, ("x",), counts={"train": 9})
    module = made({"prediction_type": "sample", "clip_sample": clip_sample}, facts, Constant())
    assert module.denoise(torch.zeros(2, 1), 10, None).flatten().tolist() == expected


LABELED = DataFacts(
    {"x": GAUSSIAN.fields["x"], "target": TensorSpec((), "", "int64", vocab=(2,))},
    ("x",),
    "target",
    classes=("a", "b"),
    class_counts=(5, 4),
    counts={"train": 9},
)


class Label(nn.Module):
    """Predicts the number of its label."""

    takes_context = True

    def forward(self, x_t, context=None):
        return context["label"].float().unsqueeze(1).expand_as(x_t)


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0, 4.0])
def test_guidance_goes_beyond_what_the_class_changes(scale):
    task = {"conditional": True, "guidance_scale": scale, "prediction_type": "sample", "clip_sample": False}
    module = made(task, LABELED, Label())
    prediction = module.denoise(torch.zeros(2, 1), 10, torch.tensor([0, 1]))
    hidden = 2
    assert prediction.flatten().tolist() == [hidden + scale * (k - hidden) for k in (0, 1)]


def test_the_network_knows_one_label_more_which_stands_for_none():
    (role,) = Task.model_validate({"type": "diffusion", "conditional": True}).roles(LABELED).values()
    assert role.input.context["label"].vocab == (3,)
    assert made({"conditional": True}, LABELED, Label()).dropped_label == 2


def test_predicted_errors_are_means_over_times_from_all_of_the_way():
    module, seen = made({"timesteps": 1000}), []
    module.errors = lambda x, t_B, eps, label_B: seen.append(t_B.tolist()) or t_B.float()
    found = module.predict_step({"x": torch.zeros(2, 1), "rows": torch.arange(2)}, 0)
    assert seen == [[t, t] for t in (63, 188, 313, 438, 562, 687, 812, 937)]  # the middle of each eighth
    assert found.flatten().tolist() == [sum(t for t, _ in seen) / 8] * 2


def test_labels_are_dropped_as_often_as_asked():
    module = made({"conditional": True, "label_dropout": 0.25}, LABELED, Label())
    seen = []
    module.errors = lambda x, t_B, eps, label_B: seen.append(label_B) or x
    torch.manual_seed(0)
    module.loss(module.prepare_step({"x": torch.zeros(10_000, 1), "target": torch.ones(10_000, dtype=torch.long)}))
    assert set(seen[0].tolist()) == {1, 2}
    assert (seen[0] == 2).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_classes_are_read_where_a_metric_asks_for_them():
    assert Task.model_validate({"type": "diffusion", "metrics": ["modes_covered"]}).target_kind == "classes"
    assert Task.model_validate({"type": "diffusion", "metrics": ["mmd"]}).target_kind is None
