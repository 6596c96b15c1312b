"""The dashboard in a browser: a run's page shows it, its metrics and its pictures."""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RECIPE = """
name: shown
task: classification
data: {source: {sklearn: digits}}
model: {mlp: [16]}
train: {epochs: 2}
hardware: {accelerator: cpu, num_threads: 1}
"""


def page(url, profile):
    """Return what a browser makes of a page, with its scripts run."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
    command = [BROWSER, *options, "--virtual-time-budget=60000", "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=240).stdout


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here: apt-get install chromium")
def test_the_dashboard_shows_a_run_its_metrics_and_its_pictures(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)
    env = {**os.environ, "MLFLOW_TRACKING_URI": "", "OMP_NUM_THREADS": "1"}
    dlx = [sys.executable, "-m", "dlx"]
    done = subprocess.run([*dlx, "train", "r.yaml", "--json"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    subprocess.run([*dlx, "runs", "--sync"], cwd=tmp_path, env=env, check=True, capture_output=True)
    (listed,) = json.loads(subprocess.check_output([*dlx, "runs", "--json"], cwd=tmp_path, env=env))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*dlx, "ui", "--port", str(port), "--json"]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")["url"]
            run = f"{url}/#/experiments/1/runs/{listed['mlflow_run']}"
            overview = page(run, tmp_path / "profile")
            files = page(f"{run}/artifacts", tmp_path / "profile")
        finally:
            server.terminate()
    for word in (listed["run"], "Finished", "test/accuracy", "val/loss", "optimizer.lr", "sklearn:train"):
        assert word in overview, word
    for word in ("figures", "checkpoints", "recipe.yaml"):
        assert word in files, word
