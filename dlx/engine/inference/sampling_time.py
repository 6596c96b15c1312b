"""Sampling time: how long a generative run takes to sample."""

from __future__ import annotations

import time

from dlx.engine.build.experiment import Experiment, device_of
from dlx.nn.protocols import Samples

TIMED_SAMPLES = 64  # samples, all at once
TIMED_STEPS = 50  # of a sampler that takes more, each of which takes as long as any other


def measure_sampling_seconds(experiment: Experiment) -> float | None:
    """Return the seconds that some samples take, on the device of training; None where a task draws none.

    Of a sampler in many steps only the first are taken, so that this costs little beside the figures of the test.
    """
    module = experiment.module
    if not isinstance(module, Samples):
        return None
    usual: int = module.sampling_steps
    few = min(usual, TIMED_STEPS)
    first, timed = ({}, {}) if usual == 1 else ({"steps": 1}, {"steps": few})
    before = module.device
    module.to(device_of(experiment.plan.recipe)).eval()
    module.sample(TIMED_SAMPLES, 0, **first).cpu()  # what the first call alone does is not counted
    began = time.monotonic()
    module.sample(TIMED_SAMPLES, 0, **timed).cpu()
    seconds = (time.monotonic() - began) * usual / few
    module.to(before)
    return seconds
