"""Trials as Ray tasks: each asks for the CPUs and GPUs that a trial needs, and Ray says where there is room.

A task opens the study's folder, which all machines share, and does what any worker does: it takes the next trial from
the journal and trains it. A task whose machine is gone leaves a trial that the next one takes over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from dlx.engine.training.trainer import silence_lightning
from dlx.errors import RunError
from dlx.recipe.schema.hardware import Hardware
from dlx.studies.folder import open_study
from dlx.studies.leases import Lease
from dlx.studies.worker import WAIT_SECONDS, Left, Worker, frozen_imports, worker_of

MAX_CRASHES = 5  # of tasks, one after the other, before a study gives up
GRACE_SECONDS = 30.0  # in which tasks save what they train when the study is interrupted


def train_on_ray(worker: Worker, count: int | None, update: Callable[[], object]) -> None:
    """Train the trials of a study as Ray tasks, so many at once; None is as many as the cluster has room for.

    Raises: RunError if tasks die, again and again.
    """
    import ray as library

    ray: Any = library  # whose types say less than what it takes
    begun_here = not ray.is_initialized()
    if begun_here:
        ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False, logging_level="ERROR")
    try:
        asked = resources(worker.study.loaded.recipe.hardware, ray.cluster_resources())
        count = count or room(asked, ray.cluster_resources())
        task = ray.remote(max_retries=0, **asked)(train_next)
        submit = lambda: task.remote(str(worker.study.path.absolute()))  # noqa: E731 (a name for one expression)
        _keep_busy(ray, submit, min(count, worker.scheduler.limit), update)
    finally:
        if begun_here:
            ray.shutdown()


def resources(hardware: Hardware, cluster: dict[str, float]) -> dict[str, float]:
    """Return what one trial asks for: its threads, and its GPUs if the recipe trains on some that the cluster has."""
    threads, devices = hardware.num_threads, hardware.devices
    cpus = threads if isinstance(threads, int) else 1
    has_gpus = hardware.accelerator == "gpu" or (hardware.accelerator == "auto" and cluster.get("GPU", 0) >= 1)
    return {"num_cpus": cpus, "num_gpus": (devices if isinstance(devices, int) else 1) if has_gpus else 0}


def room(asked: dict[str, float], cluster: dict[str, float]) -> int:
    """Return how many trials a cluster has room for at once, at least one: Ray waits for machines that may come."""
    fitting = [cluster.get(name[4:-1].upper(), 0) // amount for name, amount in asked.items() if amount]
    return max(1, int(min(fitting, default=1)))


def _keep_busy(ray: Any, submit: Callable[[], Any], count: int, update: Callable[[], object]) -> None:
    """Keep so many tasks going until there is nothing left to train."""
    running, crashes = [submit() for _ in range(count)], 0
    try:
        while running:
            ready, running = ray.wait(running, timeout=WAIT_SECONDS)
            for task in ready:
                left, crashes = _result(ray, task, crashes)
                if left == "trained":  # those that found nothing may find something now
                    running += [submit() for _ in range(count - len(running))]
                elif left == "others" and not running:
                    time.sleep(WAIT_SECONDS)
                    running.append(submit())
            update()
    finally:
        for task in running:
            ray.cancel(task)
        if running:
            ray.wait(running, num_returns=len(running), timeout=GRACE_SECONDS)


def _result(ray: Any, task: Any, crashes: int) -> tuple[Left, int]:
    """Return what a task says it found, and how many tasks in a row have died. Raises: RunError if too many have."""
    try:
        return ray.get(task), 0
    except ray.exceptions.RayTaskError as error:
        raise RunError(f"a task failed: {str(error).strip().splitlines()[-1]}") from None
    except ray.exceptions.RayError as error:
        if crashes + 1 >= MAX_CRASHES:
            raise RunError(f"{crashes + 1} tasks died, one after the other: {str(error).splitlines()[0]}") from None
        return "trained", crashes + 1  # another one takes over its trial


def train_next(folder: str) -> Left:
    """Train one trial of the study in a folder; runs in one of Ray's processes, which stays for the next one."""
    worker = _worker(folder)
    with Lease(worker.study.path) as lease, frozen_imports(), silence_lightning():
        return worker.train_next(lease)


@cache
def _worker(folder: str) -> Worker:
    from dlx.plugins import activate_plugins

    activate_plugins()
    return worker_of(open_study(folder, Path()))
