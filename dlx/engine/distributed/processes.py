"""The processes of a distributed run: how they are started, how they form a process group, and how they end together.

Rank 0 reports, writes and tracks; it starts the others where nothing else (such as torchrun) has. What they agree upon
is what each finds for itself where there is only one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from torch._C._distributed_c10d import Store, TCPStore

from dlx.console import echo
from dlx.engine.distributed.collectives import broadcast, rank
from dlx.errors import RunError, UsageError
from dlx.plan import Plan
from dlx.rank import process_rank

HOST = "127.0.0.1"
GRACE_SECONDS = 15.0  # in which processes end by themselves when one of them has
TIMEOUT = timedelta(minutes=30)  # for one that reads its data, or evaluates, while others wait


# -- how many there are ---------------------------------------------------------------------------------------------


def world_size(plan: Plan) -> int:
    """Return how many processes train a plan."""
    return int(plan.recipe.hardware.devices) * plan.recipe.hardware.num_nodes


def with_one_process(plan: Plan) -> Plan:
    """Return the plan for one process."""
    here = {"devices": 1, "num_nodes": 1, "sync_batchnorm": False}
    return plan.evolve_all({f"recipe.hardware.{name}": value for name, value in here.items()})


class RankEnvironment(ClusterEnvironment):
    """Lightning's ClusterEnvironment of this process: its rank, and that there is none left to start."""

    def __init__(self, local_size: int) -> None:
        super().__init__()
        self.local_size = local_size

    creates_processes_externally = True  # type: ignore[assignment]
    main_address = HOST  # type: ignore[assignment]  # not asked for: the process group is there already
    main_port = 0  # type: ignore[assignment]

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return dist.get_world_size()

    def set_world_size(self, size: int) -> None:
        pass

    def global_rank(self) -> int:
        return dist.get_rank()

    def set_global_rank(self, rank: int) -> None:
        pass

    def local_rank(self) -> int:
        return dist.get_rank() % self.local_size

    def node_rank(self) -> int:
        return dist.get_rank() // self.local_size


# -- how they meet and end --------------------------------------------------------------------------------------------


@contextmanager
def process_group(
    plan: Plan,
    folder: Path | None = None,
    order: dict[str, Any] | None = None,
    give_up: Callable[[], object] = lambda: None,
    store: Store | None = None,
) -> Iterator[Path]:
    """Form the process group of a run, starting its workers where need be; yields the run's directory of rank 0.

    order     what a worker that is started here needs: the resolved recipe and all that belongs to it
    give_up   called if another process died and this one cannot go on: after that this one ends as well
    store     where the processes meet, in a worker that rank 0 has started

    Raises: RunError if another process died; UsageError if several nodes are not started from outside.
    """
    if world_size(plan) == 1:
        assert folder is not None
        yield folder
        return
    workers = _start_workers(plan, order or {}, give_up) if process_rank() is None else None
    try:
        if workers is not None:
            workers.wait_until_ready()
        _init_process_group(plan, workers.store if workers is not None else store)
        yield broadcast(lambda: folder)  # type: ignore[misc]
        if workers is not None:
            workers.wait()
    except RuntimeError as error:
        failure = workers.describe_failure() if workers is not None else _describe_lost_connection(error)
        if failure is None:
            raise
        raise RunError(f"{failure}; the run is stopped. Go on with it by --resume") from None
    finally:
        if workers is not None:
            workers.end()
        if dist.is_initialized():
            dist.destroy_process_group()


def _start_workers(plan: Plan, order: dict[str, Any], give_up: Callable[[], object]) -> WorkerProcesses:
    hardware = plan.recipe.hardware
    if hardware.num_nodes > 1:
        line = f"torchrun --nnodes {hardware.num_nodes} --nproc_per_node {hardware.devices} … -m dlx train RECIPE"
        raise UsageError(f"{hardware.num_nodes} nodes are started from outside, on each of them: {line}")
    return WorkerProcesses(plan, order, give_up)


def _init_process_group(plan: Plan, store: Store | None) -> None:
    backend = "gloo" if plan.recipe.hardware.accelerator == "cpu" else "cpu:gloo,cuda:nccl"
    if backend != "gloo":
        torch.cuda.set_device(rank() % int(plan.recipe.hardware.devices))
    if store is None:
        dist.init_process_group(backend, init_method="env://", timeout=TIMEOUT)
    else:
        dist.init_process_group(backend, store=store, rank=rank(), world_size=world_size(plan), timeout=TIMEOUT)


def _describe_lost_connection(error: RuntimeError) -> str | None:
    """Say that another process is gone, if that is what a collective operation ran into."""
    words = str(error).lower()
    if any(word in words for word in ("gloo", "nccl", "connection closed", "connection reset")):
        return "another process of the run died"
    return None


class WorkerProcesses:
    """The processes that rank 0 has started, one for each other rank, and a thread that sees if one dies."""

    def __init__(self, plan: Plan, order: dict[str, Any], give_up: Callable[[], object]) -> None:
        self.size, self.give_up = world_size(plan), give_up
        self.store = TCPStore(HOST, 0, self.size, is_master=True, wait_for_workers=False, timeout=TIMEOUT)
        self.over = threading.Event()
        self.outputs: list[IO[bytes]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        line = json.dumps(order).encode() + b"\n"
        for number in range(1, self.size):
            self.outputs.append(TemporaryFile())  # noqa: SIM115  # open as long as the process
            self.processes.append(self._start(number, line))
        threading.Thread(target=self._watch, daemon=True).start()

    def _start(self, number: int, order: bytes) -> subprocess.Popen[bytes]:
        """Start a process. It lives as long as its standard input: whatever ends this one ends it too."""
        own = {
            "RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": self.size, "LOCAL_WORLD_SIZE": self.size,
            "MASTER_ADDR": HOST, "MASTER_PORT": self.store.port, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "dlx.engine.runs.launch"],
            stdin=subprocess.PIPE,
            stdout=self.outputs[-1],
            stderr=self.outputs[-1],
            env={**os.environ, **{name: str(value) for name, value in own.items()}},
            start_new_session=True,  # Ctrl-C is for rank 0, which stops the others
        )
        assert process.stdin is not None
        process.stdin.write(order)
        process.stdin.flush()
        return process

    def wait_until_ready(self) -> None:
        """Wait until every process has built its experiment. Raises: RunError if one cannot."""
        keys = [f"ready/{number}" for number in range(1, self.size)]
        while not self.store.check(keys):
            if self.failures():
                raise RunError(f"{self.describe_failure()}")
            time.sleep(0.02)

    def failures(self) -> list[tuple[int, int]]:
        """Return rank and exit status of every process that failed, those that were killed first."""
        codes = [(number, process.poll()) for number, process in enumerate(self.processes, 1)]
        return sorted(((n, code) for n, code in codes if code), key=lambda pair: pair[1])

    def describe_failure(self) -> str | None:
        """Name the process that died, how, and its last words; None if none did within a moment."""
        until = time.monotonic() + 2.0
        while not self.failures() and time.monotonic() < until:
            time.sleep(0.02)
        if not self.failures():
            return None
        number, code = self.failures()[0]
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        self.outputs[number - 1].seek(0)
        lines = self.outputs[number - 1].read().decode(errors="replace").strip().splitlines()
        return f"process {number} of {self.size} {how}" + (f": {lines[-1]}" if lines else "")

    def wait(self) -> None:
        """Let the processes end by themselves."""
        until = time.monotonic() + GRACE_SECONDS
        while any(p.poll() is None for p in self.processes) and time.monotonic() < until:
            time.sleep(0.01)

    def end(self) -> None:
        """Leave no process, nor one that it started, behind."""
        stopping = isinstance(sys.exc_info()[1], SystemExit)
        if stopping and sys.exc_info()[1].code != 1:  # type: ignore[union-attr]
            self.wait()  # they stop as well
        self.over.set()
        for process in self.processes:
            _kill(process)

    def _watch(self) -> None:
        while not self.over.wait(0.2):
            if not self.failures():
                continue
            if not self.over.wait(GRACE_SECONDS):  # this process still waits for the one that is gone
                self.give_up()
                echo(f"error: {self.describe_failure()}; the run is stopped", error=True, flush=True)
                for process in self.processes:
                    _kill(process)
                os._exit(1)
            return


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
