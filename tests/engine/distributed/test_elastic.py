"""Elastic training: a run that is interrupted on two processes goes on with three, and then with one."""

import os
import signal
from io import StringIO
from pathlib import Path

import pytest
import pytorch_lightning as pl
from rich.console import Console

import dlx
from dlx.engine.checkpoint import load_checkpoint
from dlx.errors import UsageError

RECIPE = """
name: elastic
task: classification
data: {source: {sklearn: {dataset: digits}}}
model: {mlp: {hidden: [16]}}
train: {epochs: 3, batch_size: 96, limit_train_samples: 960, log_every_n_steps: 1, figures: false}
hardware: {accelerator: cpu, devices: DEVICES, num_threads: 1}
"""


class StopAfterStep(pl.Callback):
    """Sends SIGTERM to this process after so many steps, in the middle of an epoch."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *args):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def _quiet():
    return Console(file=StringIO())


def _interrupt(train):
    with pytest.raises(SystemExit) as stopped:
        train()
    assert stopped.value.code == 143


def _curve(run):
    from mlflow.tracking import MlflowClient

    return [point.value for point in MlflowClient().get_metric_history(run.mlflow_run, "train/loss")]


def _weights(run):
    return load_checkpoint(max(run.folder.glob("checkpoints/step-*.ckpt")))["state_dict"]


@pytest.mark.slow
def test_two_processes_then_three_then_one_have_the_losses_of_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    Path("r.yaml").write_text(RECIPE.replace("DEVICES", "2"))
    Path("one.yaml").write_text(RECIPE.replace("DEVICES", "1"))
    alone = dlx.train("one.yaml", root="alone", console=_quiet())

    _interrupt(lambda: dlx.train("r.yaml", console=_quiet(), callbacks=[StopAfterStep(7)]))
    (folder,) = Path("runs").iterdir()
    with pytest.raises(UsageError, match="--allow-change"):
        dlx.resume(folder, None, ["hardware.devices=3"], console=_quiet())
    three = {"overrides": ["hardware.devices=3"], "allow_change": True, "console": _quiet()}
    _interrupt(lambda: dlx.resume(folder, None, callbacks=[StopAfterStep(16)], **three))
    run = dlx.resume(folder, None, ["hardware.devices=1"], allow_change=True, console=_quiet())

    expected = _curve(alone)
    assert len(expected) == 30 and _curve(run) == pytest.approx(expected, rel=1e-5)
    assert run.metrics == pytest.approx(alone.metrics, rel=1e-4)
    one, other = _weights(run), _weights(alone)
    assert all(one[name].allclose(other[name], atol=1e-5) for name in one)
