"""`dlx ui`: MLflow's pages for the store of a directory, on this computer alone, until it is stopped."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_answers_until_it_is_stopped(tmp_path, number):
    port = free_port()
    command = [sys.executable, "-m", "dlx", "ui", "--port", str(port), "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout.readline, "}\n")
            said = json.loads("".join(lines) + "}")
            assert said["url"] == f"http://127.0.0.1:{port}"
            assert str(tmp_path / "mlflow.db") in said["store"]
            with urllib.request.urlopen(said["url"], timeout=10) as answer:
                assert b"MLflow" in answer.read()
            process.send_signal(number)
            process.communicate(timeout=60)
        finally:
            process.kill()
    _refuses(said["url"])


def _refuses(url):
    for _ in range(50):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.URLError:
            return
        time.sleep(0.1)
    pytest.fail(f"{url} still answers")


def test_a_taken_port_is_a_usage_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "dlx", "ui", "--port", str(port)]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert str(port) in result.stderr
