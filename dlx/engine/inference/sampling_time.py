"""How long a run takes to make samples."""

from __future__ import annotations

import time
from typing import Any

from dlx.engine.build.experiment import Experiment, device_of

TIMED = 64  # samples, all at once
STEPS = 50  # of a sampler that takes more, each of which takes as long as any other


def seconds_of_samples(experiment: Experiment) -> float | None:
    """Return how many seconds some samples take, on the device of training; None where a task makes none.

    Of a sampler in many steps only the first are taken, so that this costs little beside the pictures of the test.
    """
    module: Any = experiment.module
    make = getattr(module, "sample", None)
    if make is None:
        return None
    usual: int = module.sampling_steps
    few = min(usual, STEPS)
    first, timed = ({}, {}) if usual == 1 else ({"steps": 1}, {"steps": few})
    before = module.device
    module.to(device_of(experiment.plan.recipe)).eval()
    make(TIMED, 0, **first).cpu()  # what the first call alone does is not counted
    began = time.monotonic()
    make(TIMED, 0, **timed).cpu()
    seconds = (time.monotonic() - began) * usual / few
    module.to(before)
    return seconds
