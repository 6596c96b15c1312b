"""How long a run takes to make samples."""

from __future__ import annotations

import time
from typing import Any

from dlx.engine.build import Experiment, device_of

TIMED = 64  # samples, all at once


def seconds_of_samples(experiment: Experiment) -> float | None:
    """Return how many seconds some samples take, on the device of training; None where a task makes none."""
    module: Any = experiment.module
    make = getattr(module, "sample", None)
    if make is None:
        return None
    before = module.device
    module.to(device_of(experiment.plan.recipe)).eval()
    make(1, 0).cpu()  # what the first call alone does is not counted
    began = time.monotonic()
    make(TIMED, 0).cpu()
    seconds = time.monotonic() - began
    module.to(before)
    return seconds
