"""How long commands take to begin, and `dlx train` to its end, each against what it cannot do without.

    python benchmarks/startup.py [--rounds 7] [--only train]

`--help`, `validate` and `plan` are held against the import of typer, rich, pydantic and yaml; the first step of
`dlx train` against a bare Lightning script that opens a run by MLflow's client and trains the same network, up to its
first step; the whole command against the same script that trains, validates, tests and tracks to its end (`whole`).
Each is a process of its own, in turn with the reference; CPU seconds of the process, the median of rounds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from results import record

REFERENCE = [sys.executable, "-c", "import typer, rich, pydantic, yaml"]
RECIPE = Path(__file__).parents[1] / "recipes" / "quickstart.yaml"
BARE = """
import os
import pytorch_lightning as pl, torch
from mlflow.tracking import MlflowClient
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
client = MlflowClient("sqlite:///mlflow.db")
client.create_run("0", run_name="bare")
x, y = load_digits(return_X_y=True)
x, _, y, _ = train_test_split(torch.tensor(x / 16).float(), torch.tensor(y), stratify=y)
class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    def training_step(self, batch, index):
        os._exit(0)
    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=64, shuffle=True)
pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu").fit(
    Module(), loader)
"""
OURS = f"""
import os, sys
from dlx.engine.training.chunks import BatchChunk
from dlx.cli import main
BatchChunk.__iter__ = lambda self: os._exit(0)
sys.argv = ["dlx", "train", {str(RECIPE)!r}, "hardware.accelerator=cpu", "hardware.num_threads=1"]
main()
"""
BARE_WHOLE = (
    BARE.replace(
        """        os._exit(0)
""",
        """        x, y = batch
        loss = torch.nn.functional.cross_entropy(self.net(x), y)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss
    def validation_step(self, batch, index):
        x, y = batch
        logits = self.net(x)
        self.log("val/loss", torch.nn.functional.cross_entropy(logits, y))
        self.log("val/accuracy", (logits.argmax(1) == y).float().mean())
    test_step = validation_step
    def on_train_epoch_end(self):
        for name, value in self.trainer.callback_metrics.items():
            client.log_metric(run.info.run_id, name, float(value), step=self.trainer.global_step)
""",
    )
    .replace("client.create_run", "run = client.create_run")
    .replace("max_epochs=1", "max_epochs=20")
    .replace("x, _, y, _ = train", "x, vx, y, vy = train")
    .replace(
        "pl.Trainer(",
        "other = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(vx, vy), 64)\ntrainer = pl.Trainer(",
    )
    .replace(
        """).fit(
    Module(), loader)""",
        """)
module = Module()
trainer.fit(module, loader, other)
trainer.test(module, other)
client.set_terminated(run.info.run_id)""",
    )
)
WHOLE = [sys.executable, "-m", "dlx", "train", str(RECIPE), "hardware.accelerator=cpu", "hardware.num_threads=1"]
COMMANDS = {
    "--help": ([sys.executable, "-m", "dlx", "--help"], 2.0),
    "validate": ([sys.executable, "-m", "dlx", "validate", str(RECIPE)], 3.5),
    "plan": ([sys.executable, "-m", "dlx", "plan", str(RECIPE)], None),
    "train": ([sys.executable, "-c", OURS], 1.3),
    "whole": (WHOLE, 1.1),
}
REFERENCES = {"train": BARE, "whole": BARE_WHOLE}


def main() -> None:
    """Print the ratio of every command to the reference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=COMMANDS)
    asked = parser.parse_args()
    rounds = asked.rounds
    os.chdir(tempfile.mkdtemp())
    for name, (command, goal) in COMMANDS.items():
        if asked.only not in (None, name):
            continue
        against = [sys.executable, "-c", REFERENCES[name]] if name in REFERENCES else REFERENCE
        seconds(command), seconds(against)  # bytecode, facts and the database are there after the first
        ratios, own = [], []
        for _ in range(rounds):
            reference, taken = seconds(against), seconds(command)
            own.append(taken)
            ratios.append(taken / reference)
        wanted = f"   goal ≤ {goal}" if goal else ""
        record(name.strip("-"), ratios)
        print(f"{name:9} {statistics.median(own):.3f} s   {statistics.median(ratios):.2f} × the reference{wanted}")


def seconds(command: list[str]) -> float:
    """Return the CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
