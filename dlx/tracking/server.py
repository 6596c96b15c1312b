"""The MLflow UI server of this directory's store, bound to localhost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dlx.errors import DlxError, UsageError
from dlx.tracking.store import default_uri, silence_mlflow

HOST = "127.0.0.1"
START_SECONDS = 120  # seconds until the server must answer
STOP_SECONDS = 10  # seconds that it has to stop


@dataclass(frozen=True)
class Server:
    """A running MLflow server: its address, and the store that it shows."""

    url: str
    store: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The id of the server's process, which leads the group of its workers."""
        return self.process.pid

    def wait(self) -> int:
        """Wait until the server ends or Ctrl-C is pressed; return an exit code, 0 if it was stopped."""
        try:
            return 1 if self.process.wait() else 0
        except KeyboardInterrupt:
            return 0


@contextmanager
def serve(port: int) -> Iterator[Server]:
    """Run a server until the context ends. Raises: UsageError if the port is taken; DlxError if it ends early."""
    _check_port(port)
    silence_mlflow()
    store = default_uri()
    if store.startswith(("http://", "https://")):
        raise UsageError(f"the runs are on a server already: open {store}")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store, "--host", HOST, "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        server = Server(f"http://{HOST}:{port}", store, process)
        _wait_until_healthy(server)
        yield server
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)
        _stop(process)


def _interrupt(*args: object) -> None:
    raise KeyboardInterrupt


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror}; choose another with --port") from None


def _wait_until_healthy(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise DlxError(f"MLflow's server ended at once; see: {sys.executable} -m mlflow ui")
        try:
            with urllib.request.urlopen(f"{server.url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise DlxError(f"MLflow's server did not answer within {START_SECONDS} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
