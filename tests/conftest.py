"""What every test gets: a cache of its own, and no usage reports."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    os.environ["DLX_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def recipes() -> Path:
    """The gallery."""
    return Path(__file__).parents[1] / "recipes"
