"""Several processes train what one trains: the same global batches, the same curve, everything written once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kit import quiet

import dlx
import dlx.errors
from dlx.engine.checkpoint import load_checkpoint

RECIPE = """
name: shared
task: classification
data:
  source: {sklearn: digits}
  augment: [{random_gaussian_noise: {p: 1.0}}]
model: {mlp: {hidden: [16]}}
train: {epochs: 2, batch_size: 100, limit_train_samples: 303, log_every_n_steps: 1}
hardware: {accelerator: cpu, devices: 2, num_threads: 1}
"""
"""The last batch of an epoch has 3 samples: one process takes all of them, the other none."""


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Train with changes; return the run, its loss curve, and what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    Path("r.yaml").write_text(RECIPE)

    def trained(*changes):
        console = quiet()
        run = dlx.train("r.yaml", list(changes), console=console)
        return run, curve(run), console.file.getvalue()

    return trained


def curve(run):
    from mlflow.tracking import MlflowClient

    return [point.value for point in MlflowClient().get_metric_history(run.mlflow_run, "train/loss")]


def weights(run):
    return load_checkpoint(max(run.folder.glob("checkpoints/step-*.ckpt")))["state_dict"]


def same(first, second, **tolerance):
    return all(torch.allclose(first[name], second[name], **tolerance) for name in first)


def test_two_processes_have_the_curve_and_metrics_of_one_and_write_once(trained):
    two, points, said = trained()
    one, expected, _ = trained("hardware.devices=1")
    assert len(points) == two_epochs_of_batches() and points == pytest.approx(expected, rel=1e-5)
    assert same(weights(two), weights(one), atol=1e-5)
    assert two.metrics == pytest.approx(one.metrics, rel=1e-5)
    assert said.count("epoch 1/2") == said.count("epoch 2/2") == 1
    assert sorted(p.name for p in two.folder.rglob("*")) == sorted(p.name for p in one.folder.rglob("*")), (
        "several processes write other files than one"
    )
    assert len(mlflow_runs()) == 2
    assert dlx.evaluate(two.folder).metrics["test/loss"] == pytest.approx(two.metrics["test/loss"], rel=1e-5)
    stored = (two.folder / "resolved.yaml").read_text()
    assert "devices: 2" in stored and "type: ddp" in stored


def two_epochs_of_batches():
    return 2 * 4


def mlflow_runs():
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


PARTS = ["hardware.strategy={type: fsdp, min_num_params: 100}", "train.gradient_accumulation=4"]
PARTS += [
    "train.limit_train_samples=305",
    "train.limit_val_samples=129",
    "regularize={grad_clip: {norm: 0.1}}",
    "train.batch_size=100",
]
"""Processes have other numbers of portions in the last batch of an epoch, and of batches to evaluate."""


@pytest.mark.slow
def test_a_network_in_parts_has_the_curve_of_one_process_which_goes_on_from_it(trained):
    one, expected, _ = trained(*PARTS, "hardware.devices=1")
    two, points, _ = trained(*PARTS, "train.epochs=1")
    names = [p.name for p in two.folder.rglob("*.ckpt")]
    assert sorted(names) == ["best.ckpt", "step-000000004.ckpt"]
    assert dlx.evaluate(two.folder).metrics == pytest.approx(
        {name: value for name, value in two.metrics.items() if name.startswith("test/")}, rel=1e-5
    )
    on = dlx.resume(two.folder, None, ["train.epochs=2", "hardware.devices=1"], allow_change=True)
    assert [*points, *curve(on)[len(points) :]] == pytest.approx(expected, rel=1e-5) and len(expected) == 8
    assert same(weights(on), weights(one), atol=1e-6) and on.metrics == pytest.approx(one.metrics, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("reshard", ["true", "false"])
def test_networks_in_parts_go_on_exactly_and_for_one_process(trained, reshard):
    own = [*PARTS, f"hardware.strategy.reshard_after_forward={reshard}", "regularize={dropout: 0.5}"]
    whole, _, _ = trained(*own, "train.epochs=2")
    half, _, _ = trained(*own, "train.epochs=1")
    on = dlx.resume(half.folder, None, ["train.epochs=2"], allow_change=True)
    assert same(weights(on), weights(whole), rtol=0, atol=0)
    one, _, _ = trained(*PARTS, "hardware.devices=1", "train.epochs=1")
    more = dlx.resume(one.folder, None, ["train.epochs=2", "hardware.devices=2", PARTS[0]], allow_change=True)
    assert curve(more) == pytest.approx(trained(*PARTS, "hardware.devices=1")[1], rel=1e-5)


NETWORKS = {
    "language_modeling: {prompt: a, sample_tokens: 5}": (
        "{gpt: {features: 16, num_layers: 2, num_heads: 2, dropout: 0.0}}"
    ),
    "vae": "{encoder: {mlp: {hidden: [8]}}, decoder: {mlp: {hidden: [8]}}}",
}


@pytest.mark.slow
@pytest.mark.parametrize("task", NETWORKS)
def test_other_networks_in_parts_reach_the_loss_of_one_process(trained, task):
    Path("text.txt").write_text(60 * "abcdefghijklmnopqrstuvwxyz")
    text = RECIPE.replace("task: classification", f"task: {{{task}}}" if ":" in task else f"task: {task}").replace(
        "{mlp: {hidden: [16]}}", NETWORKS[task]
    )
    exactly = ["hardware.precision=64"] if task != "vae" else []  # without noise
    if exactly:
        text = text.replace("{sklearn: digits}", "{text: {path: text.txt, block_size: 8}}")
    Path("r.yaml").write_text(text.replace("  augment: [{random_gaussian_noise: {p: 1.0}}]\n", ""))
    short = ["train.limit_train_samples=64", "train.batch_size=16", *exactly]
    two, points, _ = trained(*short, PARTS[0])
    one, expected, _ = trained(*short, "hardware.devices=1")
    assert points == pytest.approx(expected, rel=0.2) and len(points) == 8
    if exactly:
        assert points == pytest.approx(expected, rel=1e-9) and same(weights(two), weights(one), atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("portions", [1, 2])
def test_networks_that_move_in_turns_in_two_processes(trained, portions):
    networks = "{generator: {mlp: {hidden: [8]}}, discriminator: {mlp: {hidden: [8]}}}"
    text = RECIPE.replace("task: classification", "task: gan").replace("{mlp: {hidden: [16]}}", networks)
    Path("r.yaml").write_text(text.replace("  augment: [{random_gaussian_noise: {p: 1.0}}]\n", ""))
    short = ["train.limit_train_samples=64", "train.batch_size=16", f"train.gradient_accumulation={portions}"]
    two, points, _ = trained(*short)
    one, expected, _ = trained(*short, "hardware.devices=1")
    assert points == pytest.approx(expected, rel=0.1) and len(points) == 8  # each process draws noise of its own
    names = [name for name in weights(two) if name.startswith("networks.")]
    assert {name.split(".")[1] for name in names} == {"generator", "discriminator"}
    assert not any(torch.equal(weights(two)[name], weights(one)[name]) for name in names if name.endswith("weight"))


@pytest.mark.slow
@pytest.mark.parametrize("portions", [1, 2])
def test_a_full_batch_optimizer_and_portions_in_two_processes(trained, portions):
    """In 64 bit and few iterations, as each of them magnifies what was rounded otherwise."""
    changes = [f"train.gradient_accumulation={portions}", "train.batch_size=300", "hardware.precision=64"]
    optimizer = "optimizer={type: lbfgs, max_iter: 5}" if portions == 1 else "optimizer={type: sgd, lr: 0.1}"
    (two, points, _), (one, expected, _) = (trained(*changes, optimizer, f"hardware.devices={n}") for n in (2, 1))
    assert points == pytest.approx(expected, rel=1e-9)
    assert same(weights(two), weights(one), rtol=0, atol=1e-9)


@pytest.mark.slow
def test_two_processes_go_on_exactly_and_one_goes_on_for_them(trained):
    noisy = "regularize={dropout: {p: 0.5}}"
    whole, _, _ = trained(noisy, "train.epochs=2")
    half, _, _ = trained(noisy, "train.epochs=1")
    states = load_checkpoint(max(half.folder.glob("checkpoints/step-*.ckpt")))
    assert not torch.equal(states["random"]["torch"], states["random_of_others"][0]["torch"]), "the same dropout twice"
    on = dlx.resume(half.folder, None, ["train.epochs=2"], allow_change=True)
    assert same(weights(on), weights(whole), rtol=0, atol=0)
    alone = dlx.resume(half.folder, None, ["train.epochs=3", "hardware.devices=1"], allow_change=True)
    assert alone.metrics["train/loss"] < on.metrics["train/loss"] * 1.2


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "each"), [(1, 2), (2, 1)])
def test_under_torchrun_every_process_is_there_already(trained, tmp_path, nodes, each):
    one, _, _ = trained("hardware.devices=1")
    Path("runs").rename("alone")
    port = str(29500 + os.getpid() % 1000 + nodes)
    starts = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", f"--nnodes={nodes}", f"--nproc_per_node={each}",
             f"--node_rank={node}", "--master_addr=127.0.0.1", f"--master_port={port}", "-m", "dlx", "train", "r.yaml",
             f"hardware.num_nodes={nodes}", f"hardware.devices={each}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for node in range(nodes)
    ]  # fmt: skip
    texts = [start.communicate(timeout=240) for start in starts]
    assert [start.returncode for start in starts] == [0] * nodes, texts
    said = "".join(err for _, err in texts)
    assert said.count("epoch 1/2") == 1 and "".join(out for out, _ in texts).count("test/accuracy") == 1
    (folder,) = Path("runs").iterdir()
    assert json.loads((folder / "run.json").read_text())["metrics"] == pytest.approx(one.metrics, rel=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_gpus_have_the_curve_of_one(trained, strategy):
    gpu = ["hardware.accelerator=gpu", "hardware.precision=32"]
    two, points, _ = trained(*gpu, f"hardware.strategy={strategy}")
    one, expected, _ = trained(*gpu, "hardware.devices=1")
    assert points == pytest.approx(expected, rel=1e-3)
    assert two.metrics == pytest.approx(one.metrics, rel=1e-2)


def test_several_nodes_are_not_started_from_here(trained):
    with pytest.raises(dlx.errors.UsageError, match="torchrun --nnodes 2"):
        trained("hardware.devices=1", "hardware.num_nodes=2")
