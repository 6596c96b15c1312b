"""What this machine has, found without importing torch."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from pathlib import Path

from dlx.recipe.schema import Hardware


def resolve(hardware: Hardware) -> tuple[Hardware, dict[str, str]]:
    """Return the section with every `auto` decided, and what was decided with the reason."""
    accelerator = _accelerator() if hardware.accelerator == "auto" else hardware.accelerator
    decided = {"accelerator": accelerator, "precision": hardware.precision, "threads": hardware.threads}
    if hardware.precision == "auto":
        decided["precision"] = "bf16-mixed" if accelerator == "gpu" else 32
    if hardware.threads == "auto":
        decided["threads"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    notes = {f"hardware.{k}": str(v) for k, v in decided.items() if getattr(hardware, k) == "auto"}
    return hardware.model_copy(update=decided), notes


def _accelerator() -> str:
    if _built_with_cuda() and any(Path(f"/dev/{name}").exists() for name in ("nvidiactl", "dxg")):
        return "gpu"
    return "mps" if platform.system() == "Darwin" and platform.machine() == "arm64" else "cpu"


def _built_with_cuda() -> bool:
    """Read torch's version file, which says what the installed build supports."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    text = (Path(spec.origin).parent / "version.py").read_text()
    return re.search(r"^cuda\b[^=]*= *'", text, re.MULTILINE) is not None
