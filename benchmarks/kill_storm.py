"""Kill a training again and again without a word, and go on: are checkpoints ever lost, and is the end the same?

    python benchmarks/kill_storm.py --kills 200

Every attempt is a process of its own that is killed with SIGKILL after a random time; it saves after every burst, so
that many kills fall into a save. Reported: kills, runs that were brought to their end, saved states that could not be
read, runs whose end differs in any bit from the run that was never killed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

RECIPE = """
name: storm
task: classification
data: {source: {sklearn: digits}}
model: {type: layers, layers: [flatten, {linear: 64}, batch_norm, relu, {dropout: 0.2}]}
optimizer: {adamw: {lr: 0.005}}
schedule: {cosine: {warmup: 3}}
regularize: {ema: 0.9}
train: {epochs: 60, batch_size: 32, checkpoint_every_n_seconds: 1.0e-9}
hardware: {accelerator: cpu, num_threads: 1}
"""


def main() -> int:
    """Run the storm; the exit code is 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _import_everything()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("r.yaml").write_text(RECIPE)
        began = time.monotonic()
        _in_child(lambda: _train(Path("whole")), None)
        seconds = time.monotonic() - began
        expected = _end(next(Path("whole").iterdir()))
        kills = lost = finished = different = 0
        while kills < options.kills:
            root = Path(f"run-{finished}")
            while not _in_child(lambda root=root: _go_on(root), draw.uniform(0, 0.7 * seconds)):  # type: ignore[misc]
                kills += 1
                lost += not _readable(root)
                _progress(kills, options.kills, lost)
            finished += 1
            different += _end(next(root.iterdir())) != expected
    print(
        f"\n{kills} kills, {finished} runs brought to their end, {lost} unreadable states, {different} ends that differ"
    )
    return int(bool(lost or different))


def _import_everything() -> None:
    """Import once, so that a child begins to train within a fraction of a second."""
    import mlflow
    import torch

    import dlx.engine.runs.resume
    import dlx.engine.runs.run

    torch.set_num_threads(1)
    assert mlflow and dlx


def _in_child(action: Callable[[], None], seconds: float | None) -> bool:
    """Act in a process of its own, killed after so many seconds; say whether it came to its end before."""
    child = os.fork()
    if child == 0:
        said = sys.stderr
        sys.stderr = sys.stdout = io.StringIO()
        try:
            action()
        except BaseException:
            traceback.print_exc(file=said)
            os._exit(1)
        os._exit(0)
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status:
                raise SystemExit(f"a training failed by itself, with status {status}")
            return True
        if until is not None and time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.002)


def _train(root: Path) -> None:
    import dlx

    dlx.train("r.yaml", root=root, console=_quiet())


def _go_on(root: Path) -> None:
    """Resume the run, or begin it where nothing was saved yet."""
    import shutil

    import dlx

    begun = [folder for folder in root.glob("*") if (folder / "run.json").exists()]
    if begun and json.loads((begun[0] / "run.json").read_text())["metrics"]:
        return  # killed after its end
    if begun and any((begun[0] / "checkpoints").glob("step-*.ckpt")):
        dlx.resume(begun[0], console=_quiet())
    else:
        shutil.rmtree(root, ignore_errors=True)
        _train(root)


def _readable(root: Path) -> bool:
    """Say whether training can go on from what lies there, if anything was saved."""
    from dlx.engine.training.checkpointer import list_checkpoints
    from dlx.engine.training.fit import newest_checkpoint

    return all(
        newest_checkpoint(f / "checkpoints", lambda _: None) is not None
        for f in root.glob("*")
        if list_checkpoints(f / "checkpoints")
    )


def _end(folder: Path) -> list[bytes]:
    """Return every number that a run ended with, as bytes."""
    from dlx.engine.checkpoint import load_checkpoint
    from dlx.engine.training.checkpointer import BEST, list_checkpoints

    checkpoints = folder / "checkpoints"
    best, last = load_checkpoint(checkpoints / BEST), load_checkpoint(list_checkpoints(checkpoints)[0])
    states = (best["state_dict"], last["state_dict"], last["current_model_state"])
    return [value.numpy().tobytes() for state in states for value in state.values()]


def _quiet() -> object:
    from rich.console import Console

    return Console(file=io.StringIO())


def _progress(kills: int, of: int, lost: int) -> None:
    print(f"\r{kills}/{of} kills, {lost} lost", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
