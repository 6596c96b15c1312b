import math

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.optim import lr_scheduler

from dlx.schedules import Schedule, TrainingLength

LENGTH = TrainingLength(steps=100, steps_per_epoch=10)


def schedule(value):
    return Schedule.model_validate(value)


def sgd(lr=0.5):
    return torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=lr, momentum=0.9)


def rates(optimizer, scheduler, steps, metric=None):
    """Return the lr of every step."""
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if metric is None else scheduler.step(metric)
    return found


def ours(value, steps=100, length=LENGTH, lr=0.5):
    optimizer = sgd(lr)
    return rates(optimizer, schedule(value).build(optimizer, length), steps)


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ("constant", lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        ({"type": "step", "step_size": 30, "gamma": 0.1}, lambda o: lr_scheduler.StepLR(o, 30, 0.1)),
        ({"type": "step", "step_size": "3 epochs", "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 30, 0.5)),
        (
            {"type": "multi_step", "milestones": [0.25, 60, "7.5 epochs"], "gamma": 0.3},
            lambda o: lr_scheduler.MultiStepLR(o, [25, 60, 75], 0.3),
        ),
        ({"type": "exponential", "step_size": 1, "gamma": 0.97}, lambda o: lr_scheduler.ExponentialLR(o, 0.97)),
        ({"type": "cosine", "min_lr_rate": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, 100, eta_min=0.05)),
        (
            {"type": "cosine_restarts", "T_0": 15, "T_mult": 2, "min_lr_rate": 0.2},
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 15, T_mult=2, eta_min=0.1),
        ),
        (
            {"type": "one_cycle", "pct_start": 0.3, "div_factor": 10, "final_div_factor": 100},
            lambda o: lr_scheduler.OneCycleLR(
                o, 0.5, 100, pct_start=0.3, div_factor=10, final_div_factor=100, cycle_momentum=False
            ),
        ),
        (
            {"type": "linear", "end_factor": 0.1},
            lambda o: lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=100),
        ),
        ({"type": "polynomial", "power": 0.9}, lambda o: lr_scheduler.PolynomialLR(o, 100, power=0.9)),
    ],
)
def test_is_torchs(value, reference):
    optimizer = sgd()
    assert ours(value) == pytest.approx(rates(optimizer, reference(optimizer), 100), rel=1e-5, abs=1e-9)


def test_inverse_sqrt_is_the_transformers():
    found = ours(
        {"type": "inverse_sqrt", "warmup": 40, "timescale": 40}, length=TrainingLength(1000, 10), steps=400, lr=1.0
    )
    paper = [math.sqrt(40) * step**-0.5 for step in range(40, 400)]  # d^-0.5 · step^-0.5, scaled to 1 at the warm-up
    assert found[40:] == pytest.approx(paper)


def test_plateau_is_torchs_after_its_warm_up():
    losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.8, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85]
    mine, theirs = sgd(), sgd()
    settings = {"factor": 0.3, "patience": 1, "cooldown": 1, "threshold": 0.01}
    spec = schedule({"type": "plateau", "min_lr_rate": 0.05, **settings})
    first = spec.evolve("warmup", 3).build(mine, LENGTH)
    second = lr_scheduler.ReduceLROnPlateau(theirs, factor=0.3, patience=1, cooldown=1, min_lr=0.025, threshold=0.01)
    first.step(0.0)  # a metric in the warm-up, which is not looked at
    for _ in range(3):
        mine.step()
    for loss in losses:
        first.step(loss)
        second.step(loss)
        assert mine.param_groups[0]["lr"] == theirs.param_groups[0]["lr"]
    assert mine.param_groups[0]["lr"] == 0.025


def test_every_group_keeps_its_ratio():
    optimizer = torch.optim.SGD(
        [{"params": [nn.Parameter(torch.ones(1))], "lr": 0.1}, {"params": [nn.Parameter(torch.ones(1))]}], lr=1.0
    )
    scheduler = schedule("cosine").build(optimizer, LENGTH)
    for _ in range(50):
        optimizer.step()
        scheduler.step()
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.05, 0.5])


@pytest.mark.parametrize(("amount", "steps"), [(0.1, 10), (1, 1), (25, 25), ("2 epochs", 20), ("0.5 epochs", 5)])
def test_amounts(amount, steps):
    spec = schedule({"type": "constant", "warmup": amount})
    assert LENGTH.count(spec.warmup) == steps


@pytest.mark.parametrize("amount", ["3", "epochs", "3 steps", "-1 epochs", "3  epochs", -1, "1e3 epochs"])
def test_what_is_no_amount_is_an_error(amount):
    with pytest.raises(ValidationError, match="warmup"):
        schedule({"type": "constant", "warmup": amount})


def test_an_interval_of_nothing_is_an_error():
    with pytest.raises(ValidationError):
        schedule({"type": "step", "step_size": 0})
