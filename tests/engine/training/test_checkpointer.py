"""The best checkpoint holds the weights of the epoch at which the monitored metric was best, by its direction."""

import math

import pytest
import pytorch_lightning as pl
import torch
from kit import quiet

import dlx
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.training.checkpointer import list_checkpoints

RECIPE = """
name: chosen
task: classification
data: {source: {sklearn: iris}}
model: {mlp: [4]}
train: {epochs: 5, batch_size: 32, monitor: MONITOR, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""
CURVES = {
    "val/loss": [math.nan, 0.9, 0.4, 0.4, 0.7],
    "val/accuracy": [0.5, 0.8, 0.3, 0.6, 0.7],
}


class Curves(pl.Callback):
    """Puts points of the curves in the place of what val measured, and keeps the weights of each epoch."""

    def __init__(self):
        self.weights = []

    def on_validation_end(self, trainer, pl_module):
        if trainer.state.fn == "fit":
            epoch = len(self.weights)
            trainer.callback_metrics.update({name: torch.tensor(curve[epoch]) for name, curve in CURVES.items()})
            self.weights.append({name: value.clone() for name, value in pl_module.state_dict().items()})


@pytest.mark.parametrize(("monitor", "epoch"), [("val/loss", 3), ("val/accuracy", 2)])
def test_the_best_weights_are_those_of_the_best_epoch(monitor, epoch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE.replace("MONITOR", monitor))
    seen = Curves()
    run = dlx.train("r.yaml", console=quiet(), callbacks=[seen])
    best = load_checkpoint(run.folder / "checkpoints" / "best.ckpt")
    last = load_checkpoint(list_checkpoints(run.folder / "checkpoints")[0])
    assert len(seen.weights) == 5 and best["position"]["epoch"] == epoch
    for checkpoint, weights in ((best, seen.weights[epoch - 1]), (last, seen.weights[-1])):
        assert [n for n, v in weights.items() if not torch.equal(v, checkpoint["state_dict"][n])] == []
