"""Which tests reach which functions of dlx: a pytest plugin that writes it down as JSON.

python -m pytest -p reach tests/losses   (with tests/mutation in PYTHONPATH, and the file's name in DLX_REACH)
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ROOT = str(Path(__file__).parents[2]) + os.sep
DLX = ROOT + "dlx" + os.sep
reached: set[str] = set()
found: dict[str, dict[str, Any]] = {}


def _trace(frame: FrameType, event: str, argument: object) -> None:
    path = frame.f_code.co_filename
    if path.startswith(DLX):
        reached.add(f"{path.removeprefix(ROOT)}:{frame.f_code.co_qualname.replace('.<locals>', '')}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch one test, with its fixtures."""
    reached.clear()
    began = time.perf_counter()
    sys.settrace(_trace)  # type: ignore[arg-type]
    yield
    sys.settrace(None)
    found[item.nodeid] = {"seconds": round(time.perf_counter() - began, 3), "functions": sorted(reached)}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Add what was found to what is known of other tests."""
    path = Path(os.environ["DLX_REACH"])
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **found}))
