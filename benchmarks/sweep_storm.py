"""Kill random workers of a sweep with SIGKILL, again and again, and see that nothing is lost, doubled or changed.

Two workers train the trials of a random search, whose proposals do not depend on what is finished. They are forked
from a process that has imported everything, so that a killed worker is replaced in a moment; what is killed is an
ordinary worker with its threads, files and locks. In the end every trial must have been finished once, with the value
that it has in an undisturbed study of one worker. The idle share of two undisturbed workers is measured before.

    python benchmarks/sweep_storm.py [--kills 100] [--trials 40]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

RECIPE = """
name: storm
task: classification
data: {source: {sklearn: {dataset: digits}}}
model: {mlp: {hidden: [64]}}
train: {epochs: 60, batch_size: 64, checkpoint_every_n_seconds: 0.2}
hardware: {num_threads: 1}
tracking: {uri: "sqlite:///FOLDER/mlflow.db"}
sweep:
  search: {random: {trials: TRIALS}}
  over:
    optimizer.adamw.lr: {log: [1.0e-4, 0.1]}
    optimizer.adamw.weight_decay: {log: [1.0e-5, 0.1]}
  monitor: val/accuracy
"""


def fork_worker(study: Path) -> int:
    """Return the process id of a new worker of a study."""
    pid = os.fork()
    if pid:
        return pid
    try:
        from dlx.studies.folder import open_study
        from dlx.studies.worker import worker_of

        worker_of(open_study(str(study), Path())).work()
        os._exit(0)
    except BaseException as error:
        os.write(2, f"worker failed: {error!r}\n".encode())
        os._exit(1)


def new_study(folder: Path, name: str, trials: int) -> Path:
    """Return the folder of a study that has not begun."""
    from dlx.recipe.load import load
    from dlx.studies.folder import create_study

    path = folder / f"{name}.yaml"
    path.write_text(RECIPE.replace("TRIALS", str(trials)).replace("FOLDER", str(folder)))
    return create_study(load(path), folder / name).path


def wait_for(workers: list[int]) -> None:
    """Wait until workers have ended by themselves."""
    for pid in workers:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "a worker failed"


def storm(study: Path, kills: int) -> int:
    """Keep two workers going, and kill one of them at random moments; returns how many were killed."""
    workers, killed = [fork_worker(study) for _ in range(2)], 0
    while killed < kills:
        time.sleep(random.uniform(0.3, 3.0))
        at = random.randrange(2)
        if os.waitpid(workers[at], os.WNOHANG)[0]:
            workers.pop(at)  # there was nothing left for it
            break
        os.kill(workers[at], signal.SIGKILL)
        os.waitpid(workers[at], 0)
        workers[at] = fork_worker(study)
        killed += 1
    wait_for(workers)
    return killed


def events(study: Path) -> list[dict[str, Any]]:
    """Return what the journal of a study says."""
    return [json.loads(line) for line in (study / "journal.jsonl").read_text().splitlines()]


def values(study: Path) -> dict[int, float]:
    """Return the value of each trial. Raises: AssertionError if one was finished twice, or not at all."""
    said = events(study)
    begun = Counter(e["trial"] for e in said if e["event"] == "begin")
    finished = Counter(e["trial"] for e in said if e["event"] == "finish")
    assert set(begun.values()) == set(finished.values()) == {1}, "a trial was doubled"
    assert begun.keys() == finished.keys(), "a trial was lost"
    return {e["trial"]: e["value"] for e in said if e["event"] == "finish"}


def idle_share(study: Path) -> float:
    """Return the share of the time, since it began, in which the second worker trained nothing."""
    said, spent, since = events(study), Counter[str](), {}
    by = {e["trial"]: e for e in said if e["event"] == "begin"}
    for event in by.values():
        since.setdefault(event["worker"], event["time"])
    for event in (e for e in said if e["event"] == "finish"):
        spent[by[event["trial"]]["worker"]] += event["time"] - by[event["trial"]]["time"]
    end = max(e["time"] for e in said)
    return max(1 - spent[worker] / (end - began) for worker, began in since.items())


def main() -> None:
    """Compare three studies: one worker, two workers, and two workers in a storm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    import dlx

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        from rich.console import Console

        new_study(folder, "warm", 1)
        dlx.sweep(folder / "warm.yaml", root=folder / "warm-up", console=Console(file=io.StringIO()))
        studies = [new_study(folder, kind, options.trials) for kind in ("alone", "two", "storm")]
        began = time.monotonic()
        wait_for([fork_worker(studies[0])])
        print(f"alone   {time.monotonic() - began:5.0f} s", flush=True)
        wait_for([fork_worker(studies[1]) for _ in range(2)])
        print(f"two     idle share of the second worker {idle_share(studies[1]):.1%} (goal 10 %)", flush=True)
        began = time.monotonic()
        killed = storm(studies[2], options.kills)
        print(f"storm   {time.monotonic() - began:5.0f} s, {killed} workers killed", flush=True)
        undisturbed, two, disturbed = map(values, studies)
        resumed = sum(event["event"] == "continue" for event in events(studies[2]))
        assert undisturbed == two == disturbed, "a value differs"
        best = max(disturbed.values())
        print(f"{len(disturbed)} trials, none lost or doubled, {resumed} times taken over; best {best:.4f} in all")


if __name__ == "__main__":
    main()
