import inspect
import math
import textwrap

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from pydantic import ValidationError
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn

from dlx.component import leaf_class, types
from dlx.regularizers import Regularizer


def regularizer(value):
    return Regularizer.model_validate(value)


def example(name):
    docs = inspect.getdoc(leaf_class("regularizers", name))
    return yaml.safe_load(textwrap.dedent(docs.partition("Example:\n")[2]))


class Probe(pl.LightningModule):
    """A network whose gradient is chosen by its data, and which notes what it saw."""

    def __init__(self, lr=0.1, make=torch.optim.SGD, losses=None):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.lr, self.make, self.losses = lr, make, losses
        self.gradients, self.weights, self.evaluated, self.summed_up, self.rates = [], [], [], [], []

    def training_step(self, batch, batch_idx):
        x, y = batch
        return (self.net(x).squeeze(1) - y).square().mean()

    def validation_step(self, batch, batch_idx):
        self.evaluated.append(flat(self.net))

    def on_validation_epoch_end(self):
        self.summed_up.append(flat(self.net))
        if self.losses is not None:
            self.log("val/loss", self.losses[self.current_epoch])

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.weights.append(flat(self.net))
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.gradients.append(torch.cat([p.grad.flatten() for p in self.net.parameters()]))

    def configure_optimizers(self):
        return self.make(self.parameters(), lr=self.lr)


def flat(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def batches(count=4, size=8, scale=1.0):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count * size, 3, generator=generator)
    y = scale * torch.randn(count * size, generator=generator)
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=size)


def trainer(callbacks, epochs=1, **more):
    return pl.Trainer(
        max_epochs=epochs,
        callbacks=callbacks,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **{"enable_checkpointing": False, **more},
    )


def fit(values, epochs=1, probe=None, data=None, checkpoint=None, validate=False, **more):
    probe = probe or Probe()
    made = trainer([regularizer(v).callback() for v in values], epochs, **more)
    data = data or batches()
    made.fit(probe, data, data if validate else None, ckpt_path=checkpoint, weights_only=True)
    probe.made = made
    return probe


@pytest.mark.parametrize("value", [*map(example, types("regularizers")), {"swa": 0.2}], ids=str)
def test_its_callback_trains_the_same_after_a_resume(value, tmp_path):
    spec = regularizer(value)
    if spec.callback() is None:
        return
    losses = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    whole = fit([spec], 6, Probe(losses=losses), validate=True)
    save = SaveAfter(3, tmp_path / "half.ckpt")
    made = trainer([spec.callback(), save], 6, enable_checkpointing=True)
    made.fit(Probe(losses=losses), batches(), batches())
    resumed = fit([spec], 6, Probe(losses=losses), validate=True, checkpoint=tmp_path / "half.ckpt")
    assert torch.equal(flat(whole.net), flat(resumed.net))
    assert all(torch.equal(a, b) for a, b in zip(whole.evaluated[12:], resumed.evaluated, strict=True))


class SaveAfter(pl.callbacks.Checkpoint):
    """Saves at the end of an epoch, after all other callbacks."""

    def __init__(self, epochs, path):
        self.epochs, self.path = epochs, path

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == self.epochs - 1:
            trainer.save_checkpoint(self.path)


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
