"""Machine: accelerators, CPU threads and number formats, found without importing torch."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CPUINFO = Path("/proc/cpuinfo")


def accelerator() -> str:
    """Return the kind of device that `auto` means here: a GPU, Apple's GPU, or the CPU."""
    if gpus():
        return "gpu"
    return "mps" if is_apple_silicon() else "cpu"


def is_apple_silicon() -> bool:
    """Return whether this is a Mac with a GPU of Apple's."""
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def gpus() -> int:
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


def cores() -> int:
    """Return how many threads can run at once in this process: `processors`, and at most OMP_NUM_THREADS."""
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors(), int(wished)) if wished.isdigit() and int(wished) else processors()


def processors() -> int:
    """Return how many processors this process may use at once: by affinity and the cgroup's quota."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable, _cgroup_quota(CGROUP) or usable))


def multiplies_in_bf16() -> bool:
    """Return whether the CPU multiplies bf16 numbers itself; elsewhere that is slower than 32 bits."""
    try:
        return re.search(r"^flags\b.*\b(avx512_bf16|amx_bf16)\b", CPUINFO.read_text(), re.MULTILINE) is not None
    except OSError:
        return False


def _cgroup_quota(root: Path) -> int | None:
    """Return the cores that the control group may use, rounded up; None where there is no limit."""
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota, period = ((root / "cpu" / f"cpu.cfs_{n}_us").read_text().strip() for n in ("quota", "period"))
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError):  # no such file, or the word "max"
        return None


def memory(accelerator: str = "cpu") -> int | None:
    """Return the bytes of memory of a device, for a CPU within the limit of the control group; None if unknown."""
    if accelerator == "gpu":
        return _gpu_memory()
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    limits = [CGROUP / "memory.max", CGROUP / "memory" / "memory.limit_in_bytes"]
    texts = [limit.read_text().strip() for limit in limits if limit.exists()]
    return min([total, *(int(text) for text in texts if text.isdigit())])


@cache
def _gpu_memory() -> int | None:
    """Return the memory of the smallest GPU by the driver's own tool, which needs no torch."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return min((int(mebibytes) << 20 for mebibytes in found if mebibytes.isdigit()), default=None)
