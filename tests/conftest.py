"""What every test gets: a cache of its own, no usage reports, and processes that Ctrl-C reaches."""

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell; children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    os.environ["DLX_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def recipes() -> Path:
    """The gallery."""
    return Path(__file__).parents[1] / "recipes"
