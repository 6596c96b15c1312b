import math

import numpy as np
import pytest
import torch
from probe import Probe, SaveAfter, batches, fit, flat, regularizer, trainer
from pydantic import ValidationError
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn

# -- clipping and noise ------------------------------------------------------------------------------------------------


def test_clip_by_norm_bounds_all_gradients_together():
    free = fit([], data=batches(scale=100))
    bound = fit([{"grad_clip": {"norm": 0.5}}], data=batches(scale=100))
    assert free.gradients[0].norm() > 5
    torch.testing.assert_close(bound.gradients[0], free.gradients[0] * 0.5 / free.gradients[0].norm())


def test_clip_by_value_bounds_each_element():
    free, bound = fit([], data=batches(scale=100)), fit([{"grad_clip": {"value": 0.5}}], data=batches(scale=100))
    torch.testing.assert_close(bound.gradients[0], free.gradients[0].clamp(-0.5, 0.5))


def test_adaptive_clipping_bounds_each_unit_by_its_weights():
    free, bound = fit([], data=batches(scale=100)), fit([{"grad_clip": {"adaptive": 0.05}}], data=batches(scale=100))
    weight = Probe().net[0].weight.detach().numpy()
    gradient = free.gradients[0][:12].reshape(4, 3).numpy()
    for unit in range(4):
        limit = 0.05 * np.linalg.norm(weight[unit])
        size = np.linalg.norm(gradient[unit])
        expected = gradient[unit] * min(1, limit / size)
        np.testing.assert_allclose(bound.gradients[0][:12].reshape(4, 3)[unit].numpy(), expected, rtol=1e-5)
    assert (bound.gradients[0][:12] != free.gradients[0][:12]).any()


def test_clipping_is_of_the_accumulated_gradient():
    free = fit([], data=batches(4, scale=100), accumulate_grad_batches=2)
    bound = fit([{"grad_clip": {"norm": 0.5}}], data=batches(4, scale=100), accumulate_grad_batches=2)
    assert len(bound.weights) == 2
    torch.testing.assert_close(bound.gradients[1], free.gradients[1] * 0.5 / free.gradients[1].norm())


def adam(fused):
    return lambda parameters, lr: torch.optim.Adam(parameters, lr=lr, eps=1.0, fused=fused)


@pytest.mark.parametrize("fused", [True, False])
def test_clipping_sees_true_gradients_in_mixed_precision(fused):
    """Two clips that differ in order only agree, and both agree with 32 bits, whatever the scale of the loss is."""

    def run(plugins):
        probe = Probe(make=adam(fused))
        return fit([{"grad_clip": {"norm": 0.5}}, {"grad_clip": {"value": 0.3}}], probe=probe, plugins=plugins)

    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    half = run([MixedPrecision("16-mixed", "cpu", scaler)])
    full = run(None)
    torch.testing.assert_close(half.weights[-1], full.weights[-1], atol=1e-3, rtol=1e-2)
    assert (full.weights[-1] - flat(Probe().net)).norm() > 0.05


@pytest.mark.parametrize("value", [{}, {"norm": 1.0, "value": 1.0}])
def test_clipping_takes_one_rule(value):
    with pytest.raises(ValidationError, match="exactly one of norm, value and adaptive"):
        regularizer({"grad_clip": value})


def test_noise_has_the_papers_deviation_and_is_the_same_in_every_run():
    value = {"gradient_noise": {"eta": 4.0, "gamma": 0.5}}

    def noise(seed):
        torch.manual_seed(seed)
        probe = WideProbe()
        fit([value], probe=probe)
        return probe.gradients

    first, second = noise(0), noise(1)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[1])
    for step, gradient in enumerate(first):
        assert gradient.std().item() == pytest.approx(math.sqrt(4.0 / (1 + step) ** 0.5), rel=0.05)


class WideProbe(Probe):
    """A network of many parameters without a gradient of its own."""

    def __init__(self):
        super().__init__(lr=0.0)
        self.net = nn.Linear(100, 50)

    def training_step(self, batch, batch_idx):
        return 0.0 * flat_of(self.net)


def flat_of(net):
    return sum(p.sum() for p in net.parameters())


def test_max_norm_holds_after_every_step():
    free, bound = fit([]), fit([{"max_norm": 0.3}])
    before = Probe().net[0].weight.norm(dim=1)
    assert (before > 0.3).any()
    for seen in bound.weights:
        assert (seen[:12].reshape(4, 3).norm(dim=1) <= 0.3 + 1e-6).all()
    assert (free.weights[0][:12].reshape(4, 3).norm(dim=1) > 0.3).any()
    torch.testing.assert_close(bound.weights[0][12:16], free.weights[0][12:16])  # biases are spared


def test_max_norm_leaves_short_weights_alone():
    assert torch.equal(fit([{"max_norm": 100.0}]).weights[-1], fit([]).weights[-1])


# -- stopping and averaging --------------------------------------------------------------------------------------------


def test_early_stopping_ends_after_its_patience():
    losses = [1.0, 0.5, 0.6, 0.49, 0.55, 0.55, 0.55]
    value = {"early_stopping": {"patience": 2, "min_delta": 0.05}}
    probe = fit([value], epochs=7, probe=Probe(losses=losses), validate=True)
    assert probe.made.current_epoch == 4  # 0.49 is no improvement of 0.05


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [("val/loss", "min"), ("val/generator_loss", "min"), ("val/accuracy", "max"), ("val/mse", "min")],
)
def test_early_stopping_knows_the_direction(monitor, mode):
    spec = regularizer({"early_stopping": {"monitor": monitor}})
    assert spec.callback().mode == mode
    assert spec.callback().monitor == monitor


def test_early_stopping_asks_for_a_direction_that_it_does_not_know():
    with pytest.raises(ValidationError, match="say mode"):
        regularizer({"early_stopping": {"monitor": "val/quality"}})
    assert regularizer({"early_stopping": {"monitor": "val/quality", "mode": "max"}}).callback().mode == "max"


@pytest.mark.parametrize("warmup", [True, False])
def test_ema_ends_in_the_average_of_the_weights(warmup):
    probe = fit([{"ema": {"decay": 0.6, "use_warmup": warmup}}], epochs=2, validate=True)
    average = probe.weights[0]
    for step, seen in enumerate(probe.weights[1:], start=1):
        decay = min(0.6, (1 + step) / (10 + step)) if warmup else 0.6
        average = decay * average + (1 - decay) * seen
        if step == 3:
            torch.testing.assert_close(probe.evaluated[0], average)
            assert torch.equal(probe.summed_up[0], probe.evaluated[0])
    torch.testing.assert_close(probe.evaluated[-1], average)
    torch.testing.assert_close(flat(probe.net), average)
    assert int(probe.net[1].num_batches_tracked) == 8


def test_ema_does_not_change_how_training_goes():
    plain, averaged = fit([], epochs=2), fit([{"ema": 0.5}], epochs=2, validate=True)
    assert all(torch.equal(a, b) for a, b in zip(plain.weights, averaged.weights, strict=True))


def test_ema_counts_optimizer_steps():
    probe = fit([{"ema": {"decay": 0.5, "use_warmup": False}}], accumulate_grad_batches=2)
    torch.testing.assert_close(flat(probe.net), (probe.weights[0] + probe.weights[1]) / 2)


def test_a_checkpoint_holds_the_average_and_testing_it_evaluates_that(tmp_path):
    spec = regularizer({"ema": {"decay": 0.9, "use_warmup": False}})
    made = trainer([spec.callback(), SaveAfter(1, tmp_path / "a.ckpt")], 2, enable_checkpointing=True)
    probe = Probe()
    made.fit(probe, batches(), batches())
    saved = torch.load(tmp_path / "a.ckpt", weights_only=True)
    average = torch.cat([saved["state_dict"][f"net.{n}"].flatten() for n, _ in probe.net.named_parameters()])
    torch.testing.assert_close(average, probe.evaluated[3])
    made.validate(probe, batches(), ckpt_path=tmp_path / "a.ckpt", verbose=False, weights_only=True)
    assert torch.equal(flat(probe.net), average)
    assert torch.equal(probe.evaluated[-1], average)


def test_swa_ends_in_the_mean_of_the_last_epochs_at_its_own_lr():
    probe = fit([{"swa": {"swa_start": 0.5, "swa_lr": 0.03}}], epochs=4, validate=True)
    torch.testing.assert_close(flat(probe.net), (probe.weights[11] + probe.weights[15]) / 2)
    assert probe.rates == [0.1] * 8 + [0.03] * 8
    assert torch.equal(probe.evaluated[7], probe.weights[7])  # before the start, the weights themselves


def test_swa_leaves_the_lr_to_the_schedule_unless_told():
    assert fit([{"swa": 0.5}], epochs=2).rates == [0.1] * 8


def test_swa_holds_the_lr_of_each_group_in_proportion():
    """The largest becomes swa_lr; a group with a tenth of it keeps a tenth, whatever the schedule has made of them."""

    def make(parameters, lr):
        first, *others = parameters
        return torch.optim.SGD([{"params": [first], "lr": lr / 10}, {"params": others}], lr=lr)

    class Decaying(Probe):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)]

        def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
            self.rates[-1] = [group["lr"] for group in optimizer.param_groups]

    found = fit([{"swa": {"swa_start": 0.5, "swa_lr": 0.02}}], epochs=4, probe=Decaying(make=make)).rates
    assert found[7] == pytest.approx([0.005, 0.05]) and found[8] == found[15] == pytest.approx([0.002, 0.02])
