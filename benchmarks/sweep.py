"""A search by dlx beside one that is written by hand: 50 trials of a small network on digits, Optuna's TPE in both.

Both search the same space, train the same network on the same batches, and validate every epoch; times are CPU seconds
of this process, measured in turn. The hand-written loop keeps nothing; dlx writes checkpoints, metrics and a record of
every trial.

    python benchmarks/sweep.py [--trials 50] [--rounds 3]
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

RECIPE = """
name: sweep-benchmark
task: classification
data: {source: {sklearn: {dataset: digits}}}
model: {mlp: {hidden: [64]}}
train: {epochs: 10, batch_size: 64}
hardware: {num_threads: 1}
sweep:
  search: {tpe: {trials: TRIALS}}
  over:
    optimizer.adamw.lr: {log: [1.0e-4, 0.1]}
    optimizer.adamw.weight_decay: {log: [1.0e-5, 0.1]}
  monitor: val/accuracy
"""


def by_dlx(trials: int, folder: Path) -> tuple[float, float]:
    """Return the CPU seconds of the search, and the best accuracy."""
    from rich.console import Console

    import dlx

    path = folder / "r.yaml"
    path.write_text(RECIPE.replace("TRIALS", str(trials)))
    began = time.process_time()
    overrides = [f"tracking.uri=sqlite:///{folder}/mlflow.db"]
    report = dlx.sweep(path, overrides, root=folder / "runs", console=Console(file=io.StringIO()))
    return time.process_time() - began, report.best[0].value or 0.0


def by_hand(trials: int) -> tuple[float, float]:
    """Return the same of a loop in plain torch and Optuna."""
    import optuna
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch.nn import functional as F

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    began = time.process_time()
    x, y = load_digits(return_X_y=True)
    x_rest, _, y_rest, _ = train_test_split(x, y, test_size=0.1, stratify=y, random_state=0)
    parts = train_test_split(x_rest, y_rest, test_size=0.1, stratify=y_rest, random_state=0)
    x_train, x_val = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    y_train, y_val = (torch.tensor(part) for part in parts[2:])
    mean, std = x_train.mean(), x_train.std()
    x_train, x_val = (x_train - mean) / std, (x_val - mean) / std

    def objective(trial: optuna.Trial) -> float:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        lr = trial.suggest_float("lr", 1e-4, 0.1, log=True)
        decay = trial.suggest_float("decay", 1e-5, 0.1, log=True)
        optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=decay)
        best = 0.0
        for _ in range(10):
            for rows in torch.randperm(len(x_train)).split(64):
                optimizer.zero_grad()
                F.cross_entropy(network(x_train[rows]), y_train[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                best = max(best, float((network(x_val).argmax(1) == y_val).float().mean()))
        return best

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=trials)
    return time.process_time() - began, study.best_value


def main() -> None:
    """Measure both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        _measure(options.trials, options.rounds, Path(folder))


def _measure(trials: int, rounds: int, folder: Path) -> None:
    by_hand(2)
    by_dlx(2, folder)  # imports, and the tables of MLflow's database, are made once and not counted
    ratios = []
    for _ in range(rounds):
        (mine, best), (other, other_best) = by_dlx(trials, folder), by_hand(trials)
        ratios.append(mine / other)
        print(
            f"dlx {mine:6.2f} s (best {best:.3f})   by hand {other:6.2f} s (best {other_best:.3f})   {mine / other:.2f}"
        )
    print(f"median ratio {median(ratios):.2f} (goal 1.5)")


if __name__ == "__main__":
    main()
