"""The MLflow store: its address, a client for it, and how a run on disk is found."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.errors import UsageError
from dlx.files import link_file
from dlx.permissions import CHOSEN_URI, TRACKING_URI, refuse_tracker, without_password
from dlx.run_folders import final_folder, find_run_folder, mlflow_id

SQLITE = "sqlite:///"


def silence_mlflow() -> None:
    """Turn off MLflow's telemetry and its log messages about progress and migrations."""
    import logging
    import warnings

    # A large input has no example: its signature says what it is.
    warnings.filterwarnings("ignore", message=".*An input example was not provided", category=UserWarning)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    levels = dict.fromkeys(("mlflow", "alembic", "alembic.runtime.migration"), logging.ERROR)
    # It writes whole SQL statements of what fails; dlx says the first line of it.
    levels["mlflow.store.db.utils"] = logging.CRITICAL
    for name, level in levels.items():
        if logging.getLogger(name).level != level:  # setting it clears a cache of every logger there is
            logging.getLogger(name).setLevel(level)


def set_short_timeouts() -> None:
    """Set short HTTP timeouts without retries for the tracking server: dlx retries itself, and keeps what was not sent.

    Values that the user has set stay.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # 7, which takes minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")  # 120 seconds


def mlflow_client(uri: str | None = None) -> Any:
    """Return an MLflow client for a tracking URI, by default the one that MLflow itself would use in this directory."""
    silence_mlflow()
    set_short_timeouts()
    from mlflow.tracking import MlflowClient

    silence_mlflow()  # importing MLflow has set its loggers' levels
    address = uri or default_uri()
    if address.startswith(SQLITE):
        _open_at_first_try()
        _create_database(Path(address.removeprefix(SQLITE)))
    return MlflowClient(tracking_uri=address)


def _open_at_first_try() -> None:
    """Let MLflow try to open a database twice, not ten times in 100 seconds: a damaged file does not become whole."""
    import mlflow.store.db.utils

    mlflow.store.db.utils.MAX_RETRY_COUNT = 2


def import_mlflow(uri: str) -> None:
    """Import MLflow, and create the database of a new directory, before the first step: both take seconds.

    In a background thread they would hold the interpreter lock, for which every training step has to wait. No server
    is contacted.
    """
    silence_mlflow()
    with suppress(Exception):  # the same error occurs again in the background, where it is reported
        import mlflow.store.tracking.sqlalchemy_store
        import mlflow.tracking

        assert mlflow.tracking and mlflow.store.tracking.sqlalchemy_store
        if uri.startswith(SQLITE):
            mlflow_client(uri)


def _create_database(path: Path) -> None:
    """Create a database atomically: a process killed during MLflow's migrations would leave an unusable one.

    Of several processes that do so at once, the first one's database stays.
    """
    from mlflow.tracking import MlflowClient

    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        MlflowClient(tracking_uri=f"{SQLITE}{unfinished}").search_experiments(max_results=1)
        try:
            link_file(unfinished, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


def default_uri() -> str:
    """Return the URI that a plain `mlflow ui` in this directory would show."""
    chosen = os.environ.get(CHOSEN_URI) or os.environ.get(TRACKING_URI)
    return chosen or f"{SQLITE}{Path('mlflow.db').absolute()}"


def storable_uri(wanted: str | None) -> tuple[str, str | None]:
    """Return the URI at which a run is tracked, as it may be written down, and a note where that is not the one that
    its recipe wants.

    An address from the environment may hold a password: it stays a reference.
    """
    if os.environ.get(CHOSEN_URI):
        return _reference(CHOSEN_URI), None
    default = _reference(TRACKING_URI) if os.environ.get(TRACKING_URI) else default_uri()
    refusal = wanted and refuse_tracker(wanted)
    if refusal:
        return default, f"{refusal}; the run is tracked in {without_password(default_uri())}"
    return wanted or default, None


def tracker_uri(stored: str) -> str:
    """Return the URI of a run's tracker, from what is stored with the run.

    Raises: UsageError if the environment lacks it, or the user has not named its host.
    """
    variable = next((name for name in (CHOSEN_URI, TRACKING_URI) if stored == _reference(name)), None)
    if variable is not None and not os.environ.get(variable):
        raise UsageError(f"the run's tracker is that of {variable}, which is not set")
    uri = stored if variable is None else os.environ[variable]
    refusal = refuse_tracker(uri)
    if refusal:
        raise UsageError(refusal)
    return uri


def _reference(variable: str) -> str:
    return f"${{env:{variable}}}"


@dataclass(frozen=True)
class FoundRun:
    """A run on disk: its directory, its checkpoint, and its MLflow run id where it has one."""

    folder: Path
    checkpoint: Path
    run_id: str | None


def find_run(run: str, root: Path | None = None) -> FoundRun:
    """Find a run by MLflow id or unique prefix, by name, directory, checkpoint, or `last`.

    Raises: UsageError if there is none, or several fit.
    """
    path = Path(run)
    if path.is_file():
        folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
        return FoundRun(folder, path, mlflow_id(folder))
    return _best_checkpoint(path if (path / "checkpoints").is_dir() else find_run_folder(run, root))


def find_checkpoint(run: str | Path) -> Path:
    """Find the checkpoint of a run, or the one that is named. Raises: UsageError if there is none."""
    path = Path(run)
    if path.suffix == ".ckpt" and not path.is_file():
        raise UsageError(f"there is no checkpoint {path}")
    return path if path.is_file() else find_run(str(run)).checkpoint


def _best_checkpoint(folder: Path) -> FoundRun:
    best = final_folder(folder) / "checkpoints" / "best.ckpt"
    if best.exists():
        return FoundRun(folder, best, mlflow_id(folder))
    raise UsageError(f"{folder} has no checkpoint: the run ended before its first epoch did")
