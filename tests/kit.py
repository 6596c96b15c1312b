"""What many tests need: a component's example and what it refuses, samples, plans, networks, runs and their ends."""

import inspect
import io
import os
import signal
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml
from rich.console import Console

import dlx
from dlx.component import Section, leaf_class
from dlx.data.prepare import prepare_for
from dlx.diagnostic import Diagnostic
from dlx.engine.build.experiment import build_batches, build_module
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.runs.outcome import Run
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.engine.training.chunks import BatchChunk, ChunkLoader
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import DataError, RecipeError
from dlx.facts import DataFacts
from dlx.plan import Plan
from dlx.plan.context import PlanContext
from dlx.plan.hardware import resolve_hardware
from dlx.recipe.compose.compose import compose
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe
from dlx.rules import Problem
from dlx.sources import Samples, Source
from dlx.tasks import Task

MINIMAL = """\
task: classification
data: {source: {sklearn: iris}}
model: {type: layers, layers: [{linear: 8}]}
"""
RECIPE = {"data": {"source": "moons", "transforms": []}, "model": {"mlp": {"hidden": [4]}}, "task": "classification"}


def example(family: str, name: str) -> Any:
    """Return the `Example:` of a component's docstring."""
    return yaml.safe_load(textwrap.dedent((inspect.getdoc(leaf_class(family, name)) or "").partition("Example:\n")[2]))


def load_source(spec: Any, base: Path | str = ".", on_error: str = "raise") -> Samples:
    """Read the samples of a source, in any spelling."""
    return Source.model_validate(spec).load(Path(base), on_error)


def source_error(spec: Any, base: Path | str = ".") -> str:
    """Return the error of a source that cannot be read."""
    with pytest.raises(DataError) as raised:
        load_source(spec, base)
    return str(raised.value)


def context(facts: DataFacts, **sections: Any) -> PlanContext:
    """Return the context of a small recipe with other sections, for data with these facts."""
    recipe = Recipe.model_validate(RECIPE | sections)
    return PlanContext(
        recipe.evolve("hardware", resolve_hardware(recipe.hardware)), _with_counts(facts), _with_counts(facts)
    )


def refusals(holder: Section, facts: DataFacts, **sections: Any) -> list[Problem]:
    """Return what a section or component refuses in a small recipe; a task is the recipe's own."""
    own = {"task": holder} if isinstance(holder, Task) else {}
    return [problem for problem in holder.check(context(facts, **own, **sections)) if problem.severity == "error"]


def _with_counts(facts: DataFacts) -> DataFacts:
    return facts if facts.counts else replace(facts, counts={"train": 64, "val": 16, "test": 16})


def quiet() -> Console:
    """Return a console that shows nothing."""
    return Console(file=io.StringIO())


def composed(path: Path, *overrides: str) -> dict[str, Any]:
    """Return a recipe as plain values, before the schema has read it."""
    return compose(path, overrides).plain()


def compose_errors(path: Path, *overrides: str) -> list[Diagnostic]:
    """Return what is wrong with the text of a recipe."""
    with pytest.raises(RecipeError) as error:
        compose(path, overrides)
    return error.value.diagnostics


# -- plans, networks and runs -----------------------------------------------------------------------------------------


def make_plan(recipe: str | Mapping[str, Any], overrides: dlx.Overrides = (), folder: Path | str = ".") -> Plan:
    """Return the plan of a recipe: a text, which is written into the folder, or values."""
    if not isinstance(recipe, str):
        return dlx.plan.make(LoadedRecipe(Recipe.model_validate(recipe), Path(folder)))
    path = Path(folder) / "r.yaml"
    path.write_text(recipe)
    return dlx.plan.make(dlx.load(path, overrides))


def build(planned: Plan) -> tuple[Any, dict[str, Any]]:
    """Return the module and the batches of a plan."""
    return build_module(planned), build_batches(planned, planned.prepared or prepare_for(planned.recipe, planned.base))


def fit(planned: Plan, module: Any, batches: Mapping[str, Any]) -> Any:
    """Train a module as its plan says, without a run; return it."""
    with silence_lightning():
        build_trainer(planned).fit(module, ChunkLoader(batches["train"], planned.length.steps, at_most=1))
    return module


def measure(planned: Plan, module: Any, batches: Mapping[str, Any]) -> dict[str, float]:
    """Return what a module measures on test."""
    with silence_lightning():
        (found,) = build_trainer(planned).test(module, batches["test"], verbose=False)
    return found


def train(recipe: str, overrides: dlx.Overrides = (), **options: Any) -> Run:
    """Train the text of a recipe in this folder, silently."""
    Path("r.yaml").write_text(recipe)
    return dlx.train("r.yaml", overrides, console=quiet(), **options)


def train_in(folder: Path, recipe: str, **options: Any) -> Run:
    """Train the text of a recipe in another folder, silently; the paths of the run are absolute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return train(recipe, root=folder / "runs", **options)


def last_checkpoint(run: Run) -> dict[str, Any]:
    """Return the newest checkpoint of training."""
    return load_checkpoint(list_checkpoints(run.folder / "checkpoints")[0])


def assert_same_weights(*runs: Run) -> None:
    """Hold the last weights of a run, and everything else that its module keeps, against those of another."""
    one, other = (last_checkpoint(run)["state_dict"] for run in runs)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


# -- runs that are stopped --------------------------------------------------------------------------------------------


class Cut(BaseException):
    """The power goes out: nothing is saved any more."""


def cut() -> None:
    """Cut the power."""
    raise Cut


def terminate() -> None:
    """Send this process the signal that ends it politely."""
    os.kill(os.getpid(), signal.SIGTERM)


class Stopper(pl.Callback):
    """Acts before the step that comes after so many, or before the validation that does."""

    every_step = True

    def __init__(self, step: int, act: Callable[[], None] = terminate, in_validation: bool = False) -> None:
        self.step, self.act, self.in_validation, self.begun = step, act, in_validation, 0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if isinstance(batch, BatchChunk) or self.in_validation:
            return
        self.begun += 1
        if self.begun == self.step + 1:
            self.act()

    def on_validation_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, *_: int) -> None:
        if self.in_validation and trainer.global_step == self.step and not self.begun:
            self.begun = 1
            self.act()


class AfterStep(pl.Callback):
    """Looks at the module after every step."""

    every_step = True

    def __init__(self, look: Callable[[Any], None]) -> None:
        self.look = look

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if not isinstance(batch, BatchChunk):
            self.look(pl_module)


@contextmanager
def is_stopped() -> Iterator[None]:
    """Expect that what is done here is stopped by a signal or cut off."""
    with pytest.raises((Cut, SystemExit)):
        yield
