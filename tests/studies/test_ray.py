"""Trials as Ray tasks: on a real cluster of two nodes, one of which is taken away."""

import json
import threading

import pytest

import dlx
from dlx.recipe.schema.hardware import Hardware
from dlx.studies.ray_tasks import resources, room

RECIPE = """
name: on-ray
task: classification
data: {source: {sklearn: {dataset: iris}}}
model: {mlp: {hidden: [8]}}
train: {epochs: 40, batch_size: 16}
hardware: {accelerator: cpu, num_threads: 1}
sweep:
  search: {random: {trials: 6}}
  over: {optimizer.adamw.lr: {log: [1.0e-4, 0.1]}}
"""


def _hardware(**fields):
    return Hardware.model_validate(fields)


def test_a_trial_asks_for_its_threads_and_its_gpus():
    cluster = {"CPU": 16.0, "GPU": 4.0}
    cpu = resources(_hardware(accelerator="cpu", num_threads=4), cluster)
    assert cpu == {"num_cpus": 4, "num_gpus": 0} and room(cpu, cluster) == 4
    gpu = resources(_hardware(devices=2, num_threads=2), cluster)
    assert gpu == {"num_cpus": 2, "num_gpus": 2} and room(gpu, cluster) == 2
    assert resources(_hardware(), {"CPU": 2.0}) == {"num_cpus": 1, "num_gpus": 0}
    assert room({"num_cpus": 8, "num_gpus": 0}, {"CPU": 2.0}) == 1  # waits for a machine that may come


def _events(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_nodes_train_the_trials_and_one_may_go(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    path = tmp_path / "r.yaml"
    path.write_text(RECIPE)
    alone = dlx.sweep(path, root=tmp_path / "alone")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    lost, over = [], threading.Event()

    def take_one_away():
        while not over.wait(0.05):
            for journal in (tmp_path / "ray").glob("*/journal.jsonl"):
                workers = [e["worker"].rsplit(":", 1)[0] for e in _events(journal.parent) if "worker" in e]
                if len(set(workers)) >= 2:
                    cluster.remove_node(second, allow_graceful=False)
                    lost.append(second)
                    return

    thread = threading.Thread(target=take_one_away, daemon=True)
    thread.start()
    try:
        report = dlx.sweep(path, root=tmp_path / "ray", on="ray")
    finally:
        over.set()
        ray.shutdown()
        cluster.shutdown()
    assert lost, "trials were never trained by two processes"
    assert report.counts["finished"] == 6 and not report.counts["failed"]
    assert {n: t.value for n, t in report.trials.items()} == {n: t.value for n, t in alone.trials.items()}
    assert report.best[0].params == alone.best[0].params
    assert sum(e["event"] == "finish" for e in _events(report.folder)) == 6
