"""F08 for tasks with a state of their own: a run that was stopped in its middle ends as one that was not."""

import io
import os
import signal

import pytest
import torch
from rich.console import Console

import dlx
from dlx.engine.checkpoint import load
from dlx.engine.keep import saved
from dlx.tasks._module import TaskModule


class Steps:
    """Sends a signal before the step that comes after so many."""

    def __init__(self, after):
        self.left = after

    def __call__(self, original):
        def learn(module, loss):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(module, loss)

        return learn


STOPPED = {
    "seq2seq": ("{reverse: {samples: 60}}", "{type: seq2seq, embedding: 8, encoder: {gru: 8}, cell: {gru: 8}}"),
    "segmentation": (
        "{shapes: {samples: 40, size: 16}}",
        "{type: layers, layers: [{conv: {channels: 4, kernel: 3, padding: same}}, batch_norm]}",
    ),
    "forecasting": ("{series: {path: s.csv, target: y, history: 6, horizon: 2, season: 3}}", "{mlp: [8]}"),
}


@pytest.mark.parametrize("task", [pytest.param(t, marks=[] if t == "seq2seq" else [pytest.mark.slow]) for t in STOPPED])
def test_f08_a_run_that_was_stopped_goes_on_exactly(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dlx.engine.run.draw_all", lambda *_: [])
    source, model = STOPPED[task]
    (tmp_path / "s.csv").write_text("\n".join(["y", *(str(i * i % 17) for i in range(90))]) + "\n")
    (tmp_path / "r.yaml").write_text(
        f"name: stopped\ntask: {task}\ndata: {{source: {source}}}\nmodel: {model}\n"
        "train: {epochs: 2, batch_size: 8, log_every: 3}\nhardware: {accelerator: cpu, threads: 1}\n"
    )
    whole = dlx.train("r.yaml", root=tmp_path / "whole", console=Console(file=io.StringIO()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TaskModule, "note_loss", Steps(3)(TaskModule.note_loss))
        with pytest.raises(SystemExit):
            dlx.train("r.yaml", console=Console(file=io.StringIO()))
    run = dlx.resume("last", console=Console(file=io.StringIO()))
    assert run.metrics == whole.metrics
    ends = [load(saved(r.folder / "checkpoints")[0])["state_dict"] for r in (whole, run)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
