"""What this machine has, found without importing torch, and what of a recipe it rules out."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from dlx.errors import ShapeError
from dlx.layers import Layer, walk
from dlx.plan.networks import NetworkPlan
from dlx.recipe.schema.hardware import ALONE, TOGETHER, Hardware
from dlx.strategies import Strategy
from dlx.tensors import Spec, TensorSpec

Networks = Sequence[NetworkPlan]
Choice = tuple[Any, str]
"""What is decided, and how that is told."""
CGROUP = Path("/sys/fs/cgroup")
SMALL = 20_000_000  # multiply-adds of a step, forward, below which a second thread costs more than it brings
LARGE = 1_000_000_000  # from which on bf16 pays: below, casting costs what multiplying brings
CPUINFO = Path("/proc/cpuinfo")
CONVOLVED = 2_000_000  # multiply-adds of a sample from which on images are worth another layout
LONG = 200  # steps from which on it is worth trying how many threads are faster
TRIED = "{}, or 1 if the first steps are faster so"


@dataclass(frozen=True)
class Started:
    """Where a process stands among those of its run, which were started from outside (as torchrun does) or by dlx."""

    rank: int
    local_rank: int
    local_size: int
    size: int


def started() -> Started | None:
    """Return this process among those of its run; None where it is the only one so far."""
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE")
    values = [os.environ.get(name, "") for name in (*names, "MASTER_PORT")]
    if not all(value.isdigit() for value in values):
        return None
    rank, local_rank, local_size, size, _ = map(int, values)
    return Started(rank, local_rank, local_size, size)


def follows() -> bool:
    """Say whether another process of the same run speaks, writes and tracks for this one."""
    here = started()
    return here is not None and here.rank > 0


def resolve(hardware: Hardware) -> Hardware:
    """Return the section with every `auto` decided, as far as the cost of training does not matter."""
    accelerator = _accelerator() if hardware.accelerator == "auto" else hardware.accelerator
    devices = _devices(accelerator, hardware) if hardware.devices == "auto" else hardware.devices
    decided: dict[str, Any] = {"accelerator": accelerator, "devices": devices}
    for name in ("precision", "strategy", "num_threads"):
        decided[name] = getattr(hardware, name)
    if hardware.precision == "auto":
        decided["precision"] = "bf16-mixed" if accelerator == "gpu" else 32
    if hardware.strategy == "auto":
        decided["strategy"] = Strategy.model_validate(TOGETHER if devices * hardware.num_nodes > 1 else ALONE)
    if hardware.num_threads == "auto":
        decided["num_threads"] = max(1, cores() // (devices if accelerator == "cpu" else 1))
    if hardware.channels_last == "auto":
        decided["channels_last"] = False
    return hardware.evolve_all(decided)


def by_cost(asked: Hardware, decided: Hardware, networks: Networks, batch: int, steps: int) -> dict[str, Choice]:
    """Return what is left to `auto` and depends on the cost of training, each with how it is decided.

    batch  samples that pass through the networks at once
    steps  optimizer steps of the whole training
    """
    macs = batch * sum(network.cost.macs for network in networks)
    found: dict[str, Choice] = {}
    if asked.num_threads == "auto":
        found["num_threads"] = _threads_for(decided, macs, steps)
    if asked.precision == "auto" and decided.accelerator == "cpu" and macs >= LARGE and _computes_in_bf16():
        found["precision"] = "bf16-mixed", "bf16-mixed, in which this CPU multiplies faster"
    whole = isinstance(decided.strategy, Strategy) and not decided.strategy.shards_parameters
    if asked.channels_last == "auto" and decided.accelerator == "cpu" and whole and _convolve(networks):
        found["channels_last"] = True, "true, in which a CPU convolves faster"
    return found


def _convolve(networks: Networks) -> bool:
    """Say whether much of what is multiplied gives images, and no layer is slower where channels are last."""
    layers: list[tuple[Layer, Any]] = [(layer, x) for n in networks for _, layer, x in walk(n.tree, n.input)]
    if not all(layer.supports_channels_last for layer, _ in layers):
        return False
    convolved = (layer.cost(x).macs for layer, x in layers if not layer.children(x) and _is_image(layer.shape(x)))
    return any(macs >= CONVOLVED for macs in accumulate(convolved))  # early: walking all of a deep network takes long


def _is_image(x: Spec) -> bool:
    return isinstance(x, TensorSpec) and x.axes == "CHW"


def _threads_for(hardware: Hardware, macs: int, steps: int) -> tuple[int, str]:
    """Return the CPU threads and how that is decided. Where training tries which number is faster, it is the most."""
    most = int(hardware.num_threads)
    if most == 1 or (hardware.accelerator == "cpu" and macs < SMALL):
        return 1, "1"
    return most, TRIED.format(most) if is_worth_trying(hardware, steps) else str(most)


def is_worth_trying(hardware: Hardware, steps: int) -> bool:
    """Say whether training is long enough to repay trying one thread as well."""
    alone = int(hardware.devices) * hardware.num_nodes == 1
    return hardware.accelerator == "cpu" and alone and int(hardware.num_threads) > 1 and steps >= LONG


def cores() -> int:
    """Return how many threads can run at once in this process: by affinity, OMP_NUM_THREADS and the cgroup's quota."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wished = os.environ.get("OMP_NUM_THREADS", "")
    limits = [usable, _quota(CGROUP) or usable, int(wished) if wished.isdigit() and int(wished) else usable]
    return max(1, min(limits))


def _computes_in_bf16() -> bool:
    """Say whether the CPU multiplies bf16 numbers itself; elsewhere that is slower than 32 bits."""
    try:
        return re.search(r"^flags\b.*\b(avx512_bf16|amx_bf16)\b", CPUINFO.read_text(), re.MULTILINE) is not None
    except OSError:
        return False


def _quota(root: Path) -> int | None:
    """Return the cores that the control group may use, rounded up; None where there is no limit."""
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota, period = ((root / "cpu" / f"cpu.cfs_{n}_us").read_text().strip() for n in ("quota", "period"))
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError):  # no such file, or the word "max"
        return None


def problems(hardware: Hardware, batch_size: int, counts: dict[str, int]) -> list[ShapeError]:
    """Return what of a decided section cannot be done: here, together, or with so many samples in a step and split."""
    found = {**_device_problems(hardware), **_format_problems(hardware)}
    ranks = int(hardware.devices) * hardware.num_nodes
    few = [f"{name} samples" for name, n in counts.items() if 0 < n < ranks]
    few += [f"samples in a batch ({batch_size})"] if batch_size < ranks else []
    if few:
        found.setdefault("devices", f"there are fewer {few[0]} than devices ({ranks})")
    return [ShapeError(message, ("hardware", name)) for name, message in found.items()]


def _device_problems(hardware: Hardware) -> dict[str, str]:
    devices, strategy, here = int(hardware.devices), hardware.strategy, started()
    assert isinstance(strategy, Strategy)
    found = {}
    if hardware.accelerator == "gpu" and _gpus() < devices:
        found["devices" if _gpus() else "accelerator"] = f"this machine has {_gpus()} GPUs, not {devices}"
    if hardware.accelerator == "mps" and not _is_apple():
        found["accelerator"] = "this machine has no GPU of Apple's"
    if hardware.accelerator == "tpu" and importlib.util.find_spec("torch_xla") is None:
        found["accelerator"] = "a TPU needs torch_xla, which is not installed"
    if hardware.sync_batchnorm and hardware.accelerator != "gpu":
        found["sync_batchnorm"] = "batch statistics can be shared between GPUs only"
    if strategy.most_devices is not None and devices * hardware.num_nodes > strategy.most_devices:
        found["strategy"] = f"{strategy.type} uses {strategy.most_devices} device, but there are {devices}"
        found["strategy"] += f" on each of {hardware.num_nodes} nodes" if hardware.num_nodes > 1 else ""
    if strategy.accelerators and hardware.accelerator not in strategy.accelerators:
        found["strategy"] = f"{strategy.type} works on {' and '.join(strategy.accelerators)} only, not on "
        found["strategy"] += hardware.accelerator
    if here is not None and here.size != devices * hardware.num_nodes:
        found["devices"] = (
            f"{here.size} processes were started, but devices × num_nodes is {devices * hardware.num_nodes}"
        )
    return found


def _format_problems(hardware: Hardware) -> dict[str, str]:
    found = {}
    if hardware.precision == "16-mixed" and hardware.accelerator == "cpu":
        found["precision"] = "a CPU has no 16-mixed: write bf16-mixed"
    if hardware.precision == 64 and hardware.accelerator == "mps":
        found["precision"] = "this accelerator has no 64-bit numbers: write 32"
    compiler = os.environ.get("CXX", "g++")
    if hardware.compile and not any(map(shutil.which, (compiler, "clang++", "cl"))):
        found["compile"] = (
            f"torch compiles with a C++ compiler, and there is no {compiler}: install one (apt install g++)"
        )
    return found


def _accelerator() -> str:
    if _gpus():
        return "gpu"
    return "mps" if _is_apple() else "cpu"


def _is_apple() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _devices(accelerator: str, hardware: Hardware) -> int:
    """Return how many devices a node uses where the recipe leaves it open: every GPU, unless the strategy takes one."""
    here = started()
    if here is not None:
        return here.local_size
    if isinstance(hardware.strategy, Strategy) and hardware.strategy.most_devices is not None:
        return hardware.strategy.most_devices
    return max(1, _gpus()) if accelerator == "gpu" else 1


def _gpus() -> int:
    """Return how many GPUs torch will see."""
    if not _built_with_cuda():
        return 0
    there = len([p for p in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", p.name)])
    there = there or int(Path("/dev/dxg").exists())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return there if visible is None else min(there, len([v for v in visible.split(",") if v.strip() not in ("", "-1")]))


def _built_with_cuda() -> bool:
    """Read torch's version file, which says what the installed build supports."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    text = (Path(spec.origin).parent / "version.py").read_text()
    return re.search(r"^cuda\b[^=]*= *'", text, re.MULTILINE) is not None
