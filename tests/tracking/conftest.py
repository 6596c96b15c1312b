"""A tracker without training, and servers that behave badly."""

import http.server
import shutil
import socket
import threading
import time

import pytest

from dlx.tracking.spool import TrackingState


@pytest.fixture
def opened():
    """Return a function that begins a tracker for a run in a new directory."""
    return _opened


def _opened(folder, uri, **changes):
    from dlx.tracking.logger import MLflowTracker

    folder.mkdir(parents=True, exist_ok=True)
    creation = {"experiment": "trial", "name": folder.name, "tags": {"dlx.recipe": "trial"}, "time": 1_700_000_000_000}
    state = TrackingState(uri, f"token-{folder.name}", socket.gethostname(), creation=creation, **changes)
    tracker = MLflowTracker(folder, state)
    tracker.start()
    return tracker


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A new SQLite store: MLflow takes seconds to make one."""
    from dlx.tracking.store import mlflow_client

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow_client(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def store(tmp_path, empty_store):
    """A SQLite store, and MLflow's own client to look into it."""
    from mlflow.tracking import MlflowClient

    shutil.copy(empty_store, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    return uri, lambda: MlflowClient(tracking_uri=uri)


@pytest.fixture
def bad_server():
    """Return a function that starts a server on this computer: it sleeps, then answers with a status."""
    servers = []

    def start(seconds, status):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                time.sleep(seconds)
                self.send_response(status)
                self.end_headers()

            do_GET = do_POST = answer

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def refusing():
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
