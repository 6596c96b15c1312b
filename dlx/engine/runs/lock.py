"""lock.json: what it takes to reproduce a run: versions of packages, kernels, git state, data and hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dlx.engine.build.weights import weights_origin
from dlx.plan import Plan
from dlx.plugins import active_plugins
from dlx.recipe.schema.hardware import Hardware
from dlx.version import __version__

PACKAGES = (
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "pydantic",
    "mlflow",
    "numpy",
    "pandas",
    "scikit-learn",
    "kornia",
    "scipy",
    "tokenizers",
    "transformers",
)
NUMERIC_VARIABLES = ("CUBLAS_WORKSPACE_CONFIG", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ATEN_CPU_CAPABILITY",
                     "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "NVIDIA_TF32_OVERRIDE")  # fmt: skip
"""Environment variables that choose other kernels."""


def environment_lock(plan: Plan) -> dict[str, Any]:
    """Return everything outside the recipe on which the result of a run depends."""
    return {
        "dlx": __version__,
        "base": str(plan.base.resolve()),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _package_version(name)) is not None},
        "git": _git_state(plan.base),
        "plugins": [p.to_json() for p in active_plugins()],
        "data": plan.facts.fingerprint,
        "init_from": weights_origin(plan.recipe.init_from, plan.base) if plan.recipe.init_from is not None else None,
        "hardware": {"machine": platform.machine(), "system": platform.system(), **plan.recipe.hardware.model_dump()},
        "kernels": numeric_kernels(plan.recipe.hardware),
    }


def numeric_kernels(hardware: Hardware) -> dict[str, Any]:
    """Return which kernels compute: instructions that torch uses, each BLAS with its kernel, and the device.

    Two machines with the same packages give other bits where these differ.
    """
    import torch
    from threadpoolctl import threadpool_info

    pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
    on_gpu = hardware.accelerator == "gpu" and torch.cuda.is_available()
    return {
        "torch": torch.backends.cpu.get_cpu_capability(),
        "mkl": torch.backends.mkl.is_available(),
        "onednn": torch.backends.mkldnn.is_available(),
        "blas": sorted({" ".join(str(p.get(k)) for k in ("internal_api", "version", "architecture")) for p in pools}),
        "cpu": _cpu_name(),
        "device": torch.cuda.get_device_name() if on_gpu else hardware.accelerator,
        "cuda": torch.version.cuda if on_gpu else None,
        "cudnn": torch.backends.cudnn.version() if on_gpu else None,
        "variables": {name: os.environ[name] for name in NUMERIC_VARIABLES if name in os.environ},
    }


@cache
def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


@cache
def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit of the folder's repository and whether it has changes; None outside of one."""

    def run_git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        return {"commit": run_git("rev-parse", "HEAD"), "changed": bool(run_git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
