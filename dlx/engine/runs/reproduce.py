"""Reproducing: a run is trained again from what it stored, and both trainings are held against each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch

import dlx.plan
from dlx.console import say
from dlx.engine.checkpoint import load_checkpoint, metadata_of
from dlx.engine.inference.restore import available_hardware
from dlx.engine.runs.folder import make_run_folder
from dlx.engine.runs.lock import environment_lock
from dlx.engine.runs.outcome import ClaimVerdict, Run
from dlx.engine.runs.run import RunRequest, execute
from dlx.engine.training.checkpointer import BEST
from dlx.engine.training.layer_hashes import LayerHashes, LayerHashRecorder, TrainingTrace, read_trace
from dlx.engine.training.pause import TrainingPaused
from dlx.errors import UsageError
from dlx.plan import Plan
from dlx.recipe import load as reading
from dlx.recipe.load import LoadedRecipe
from dlx.run_folders import STUDY, find_run_folder, run_name, stage_status
from dlx.tracking.comparison import flatten

Verdict = Literal["same bits", "same claims", "differs"]


@dataclass(frozen=True)
class Difference:
    """Where two trainings part: the first step of another loss or layer, and the first layer that differs.

    `layer` is None where no step with layer hashes shows it; `layer_step` is the first one that does.
    """

    step: int
    layer: str | None = None
    layer_step: int | None = None

    def __str__(self) -> str:
        if self.layer is None:
            return f"differs from step {self.step}"
        if self.layer_step == self.step:
            return f"differs from step {self.step}, first in layer {self.layer}"
        return f"differs from step {self.step}; in step {self.layer_step}, first in layer {self.layer}"


@dataclass(frozen=True)
class Reproduction:
    """What came of training a run again.

    steps        how many were compared
    difference   None where losses and layers are the same to the bit
    weights      whether the best weights are the same to the bit; None where training was not to the end
    metrics      those that differ: then and now
    lost         claims that held then and do not now, or the other way around
    environment  what differs around the recipe, by name: then and now
    notes        what the run itself says happened to it, and what could not be compared
    """

    run: str
    verdict: Verdict
    steps: int
    difference: Difference | None
    weights: bool | None
    metrics: dict[str, tuple[float | None, float | None]]
    lost: list[str]
    environment: dict[str, tuple[Any, Any]]
    notes: list[str]

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.verdict == "same bits":
            return "same bits" if self.weights else f"same bits in the first {self.steps:,} steps"
        where = str(self.difference) if self.difference else "the weights or metrics differ"
        if self.verdict == "same claims":
            return f"same claims; {where}"
        return where + "".join(f"; {claim}" for claim in self.lost)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "sentence": self.sentence}


@dataclass
class StoredRun:
    """A run as it was: its recipe, what it recorded while training, its environment and its outcome."""

    folder: Path
    loaded: LoadedRecipe
    trace: TrainingTrace
    lock: dict[str, Any]
    record: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        """Whether it came to its end, so that its outcome can be compared."""
        return self.record.get("status") == "FINISHED" and (self.folder / "checkpoints" / BEST).exists()


def reproduce(
    run: str, console: Any, steps: int | None = None, callbacks: Sequence[pl.Callback] = ()
) -> list[Reproduction]:
    """Train a run again, each of its stages if it has some, and compare.

    A stage begins with the stored weights of those before it. `steps` ends training after so many.
    Raises: UsageError if nothing is stored to train again from; DataError; RunError if training fails.
    """
    folder = find_run_folder(run)
    if (folder / STUDY).exists():
        raise UsageError(f"{folder.name} is a study: reproduce one of its runs, such as {folder.name}/trial-0000")
    parts = [folder / place for place in stage_status(folder)] or [folder]
    return [_reproduce_part(part, console, steps, callbacks) for part in parts]


def _reproduce_part(folder: Path, console: Any, steps: int | None, callbacks: Sequence[pl.Callback]) -> Reproduction:
    stored = read_stored(folder)
    plan = _plan_again(stored)
    stop = steps if stored.is_finished else min(steps or len(stored.trace.losses), len(stored.trace.losses))
    if not stored.is_finished:
        stored.notes.append(f"the run did not come to its end: its first {stop:,} steps are compared")
    if stop is not None and plan.recipe.world_size > 1:
        raise UsageError("several processes train together to the end: reproduce the run without --steps")
    say(console, f"{run_name(folder)}  is trained again" + (f" for {stop:,} steps" if stop is not None else ""))
    with TemporaryDirectory(prefix=".reproduction-", dir=folder) as place:
        again = make_run_folder(Path(place), plan.recipe.name)
        recorder = LayerHashRecorder(again, stored.trace.hashes, stop, layers=not plan.recipe.hardware.compile)
        request = RunRequest(plan, stored.loaded, again, console, callbacks=[recorder, *callbacks], is_tracked=False)
        try:
            outcome = execute(request)
        except TrainingPaused:
            outcome = None
        return _compare(stored, plan, read_trace(again), outcome)


def read_stored(folder: Path) -> StoredRun:
    """Read what a run stored. Raises: UsageError if it does not suffice to train it again."""
    if not (folder / "resolved.yaml").exists():
        raise UsageError(f"{folder} holds no recipe: it ended before its training began")
    lock, record = (_read_json(folder / name) for name in ("lock.json", "run.json"))
    base = Path(lock.get("base") or _base_of(folder))
    loaded = reading.load(folder / "resolved.yaml").with_base(base)
    recipe = loaded.recipe.evolve_all({"train.figures": False, "tracking.log_model": False})
    stored = StoredRun(folder, replace(loaded, recipe=recipe), read_trace(folder), lock, record)
    stored.notes += [f"of the run: {note}" for note in record.get("notes", [])]
    if not len(stored.trace.losses):
        if not stored.is_finished:
            raise UsageError(f"{folder} has recorded no step that could be compared")
        stored.notes.append("the run has recorded no steps: weights and metrics alone are compared")
    elif not stored.trace.hashes:
        stored.notes.append("the run has no layer hashes, as its networks were compiled: losses are compared")
    return stored


def _base_of(folder: Path) -> str:
    checkpoint = folder / "checkpoints" / BEST
    if not checkpoint.exists():
        raise UsageError(f"{folder} does not say where its data are: it has neither lock.json nor a checkpoint")
    return str(metadata_of(load_checkpoint(checkpoint))["base"])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _plan_again(stored: StoredRun) -> Plan:
    """Plan the stored recipe for this machine; a device that is not here is replaced, and said."""
    recipe = stored.loaded.recipe
    notes: list[str] = []
    here = available_hardware(recipe.hardware, notes)
    if notes:
        stored.loaded = replace(stored.loaded, recipe=recipe.evolve("hardware", here))
        stored.notes += notes
    return dlx.plan.make(stored.loaded)


def _compare(stored: StoredRun, plan: Plan, now: TrainingTrace, outcome: Run | None) -> Reproduction:
    then, end = stored.trace, outcome is not None
    count = len(now.losses) if not end else max(len(then.losses), len(now.losses))
    difference = first_difference(then, now, whole=end and len(then.losses) > 0)
    weights = _same_weights(stored.folder, outcome) if outcome is not None else None
    metrics = _differing(stored.record.get("metrics", {}), outcome.metrics) if outcome is not None else {}
    verdict: Verdict = "differs"
    lost = _lost_claims(stored.record.get("verdict", []), outcome.verdict) if outcome is not None else []
    if difference is None and weights is not False and not metrics:
        verdict = "same bits"
    elif outcome is not None and outcome.verdict and not lost:
        verdict = "same claims"
    changes = environment_changes(stored.lock, environment_lock(plan)) if stored.lock else {}
    notes = stored.notes if stored.lock else [*stored.notes, "the run has no lock.json: its environment is unknown"]
    name = run_name(stored.folder)
    return Reproduction(name, verdict, count, difference, weights, metrics, lost, changes, notes)


def first_difference(then: TrainingTrace, now: TrainingTrace, whole: bool = True) -> Difference | None:
    """Return where two trainings part; `whole` says that one which is shorter than the other differs."""
    both = min(len(then.losses), len(now.losses))
    unequal = np.flatnonzero(then.losses[:both].view("<i8") != now.losses[:both].view("<i8"))
    steps = [int(unequal[0])] if len(unequal) else []
    if not steps and whole and len(then.losses) != len(now.losses):
        steps = [both]
    for step in sorted(then.hashes.keys() & now.hashes.keys()):
        layer = first_differing_layer(then.hashes[step], now.hashes[step])
        if layer is not None:
            return Difference(min([step, *steps]), layer, step)
    return Difference(steps[0]) if steps else None


def first_differing_layer(then: LayerHashes, now: LayerHashes) -> str | None:
    """Return the first layer, in the order in which outputs came, that is another or gives another output."""
    for mine, other in zip_longest(then.items(), now.items()):
        if mine != other:
            return str((mine or other)[0])
    return None


def environment_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what differs between two environments by its name: then and now."""
    one, other = flatten(dict(then)), flatten(json.loads(json.dumps(now)))
    names = [name for name in dict.fromkeys([*one, *other]) if name != "base"]
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def _same_weights(folder: Path, again: Run) -> bool:
    one, other = (load_checkpoint(p)["state_dict"] for p in (folder / "checkpoints" / BEST, again.checkpoint))
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def _differing(then: Mapping[str, float], now: Mapping[str, float]) -> dict[str, tuple[float | None, float | None]]:
    names = dict.fromkeys([*then, *now])
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}


def _lost_claims(then: Sequence[Mapping[str, Any]], now: Sequence[ClaimVerdict]) -> list[str]:
    """Return the claims with another verdict than before, in words."""
    before = {verdict["metric"]: verdict["held"] for verdict in then}
    said = {True: "holds", False: "does not hold"}
    return [
        f"{claim.metric} {claim.claim} {said[claim.held]} now, with {claim.value}"
        for claim in now
        if claim.held != before.get(claim.metric, claim.held)
    ]
