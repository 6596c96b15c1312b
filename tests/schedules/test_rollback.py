"""After a rollback every schedule goes on with a fraction of its learning rates, also from the next checkpoint on."""

from types import SimpleNamespace

import pytest
import torch
from kit import example
from torch import nn

from dlx.component import types
from dlx.engine.training.callbacks import ScaleLearningRate
from dlx.schedules import Schedule, TrainingLength

LENGTH = TrainingLength(steps=60, steps_per_epoch=10)
every_schedule = pytest.mark.parametrize("name", types("schedules"))


class Run:
    """An optimizer of two parameter groups under a schedule with a warmup."""

    def __init__(self, name, taken=0):
        one, two = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
        self.optimizer = torch.optim.SGD([{"params": [one], "lr": 0.2}, {"params": [two]}], lr=1.0)
        spec = Schedule.model_validate({**example("schedules", name), "warmup": 8})
        self.scheduler, self.interval = spec.build(self.optimizer, LENGTH), spec.interval
        self.lrs(taken)

    def lrs(self, steps):
        """Take steps; return the learning rates of each."""
        found = []
        for step in range(steps):
            found.append([group["lr"] for group in self.optimizer.param_groups])
            self.optimizer.step()
            self.scheduler.step(1.0 + step) if self.interval == "validation" else self.scheduler.step()
        return found

    def roll_back(self, factor):
        configs = [SimpleNamespace(scheduler=self.scheduler)]
        trainer = SimpleNamespace(optimizers=[self.optimizer], lr_scheduler_configs=configs)
        ScaleLearningRate(factor).on_train_start(trainer, None)

    def state(self):
        return self.optimizer.state_dict(), self.scheduler.state_dict()

    def load(self, state):
        self.optimizer.load_state_dict(state[0])
        self.scheduler.load_state_dict(state[1])


def scaled(lrs, factor):
    return [pytest.approx([lr * factor for lr in step]) for step in lrs]


@every_schedule
@pytest.mark.parametrize("taken", [0, 3, 12])
def test_a_rollback_scales_every_learning_rate_that_follows(name, taken):
    run = Run(name, taken)
    run.roll_back(0.5)
    assert run.lrs(15) == scaled(Run(name, taken).lrs(15), 0.5)


@every_schedule
def test_a_second_rollback_scales_them_again_and_checkpoints_keep_it(name):
    run, expected = Run(name, 3), Run(name, 3)
    run.roll_back(0.5)
    run.lrs(9), expected.lrs(9)
    resumed = Run(name)
    resumed.load(run.state())
    resumed.roll_back(0.5)
    assert resumed.lrs(15) == scaled(expected.lrs(15), 0.25)
