import io

import pytest
import torch
from kit import example
from torch import nn

from dlx.component import types
from dlx.schedules import Schedule, TrainingLength

LENGTH = TrainingLength(steps=100, steps_per_epoch=10)
every_schedule = pytest.mark.parametrize("name", types("schedules"))


def schedule(value):
    return Schedule.model_validate(value)


def sgd(lr=0.5):
    return torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=lr, momentum=0.9)


@every_schedule
def test_example_validates_and_round_trips(name):
    spec = schedule(example("schedules", name))
    assert spec.type == name
    assert schedule(spec.model_dump(mode="json", serialize_as_any=True)) == spec


@every_schedule
def test_factor_is_between_0_and_1_and_needs_no_torch(name):
    spec = schedule(example("schedules", name))
    factors = [spec.lr_factor(step, LENGTH) for step in range(101)]
    assert all(isinstance(f, float) and 0 <= f <= 1 for f in factors)
    assert max(factors) == pytest.approx(1, abs=1e-3)


@every_schedule
def test_warm_up_rises_in_equal_steps_to_the_full_rate(name):
    spec = schedule({**example("schedules", name), "warmup": 4})
    plain = schedule({**example("schedules", name), "warmup": 0})
    optimizer = sgd(lr=1.0)
    scheduler = spec.build(optimizer, LENGTH)
    found = []
    for _ in range(5):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(1.0) if spec.interval == "validation" else scheduler.step()
    start = plain.lr_factor(0, TrainingLength(96, 10))
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, start])
    assert [spec.lr_lambda(step, LENGTH) for step in range(5)] == pytest.approx(found)


@every_schedule
def test_resuming_equals_going_on(name):
    def run(optimizer, scheduler, spec, steps):
        found = []
        for step in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step(1.0 + step) if spec.interval == "validation" else scheduler.step()
        return found

    spec = schedule({**example("schedules", name), "warmup": 7})
    optimizer = sgd()
    scheduler = spec.build(optimizer, LENGTH)
    run(optimizer, scheduler, spec, 5)
    saved = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, saved)
    rest = run(optimizer, scheduler, spec, 60)

    resumed = sgd()
    scheduler = spec.build(resumed, LENGTH)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    resumed.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    assert run(resumed, scheduler, spec, 60) == rest
