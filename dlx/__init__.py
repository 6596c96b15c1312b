"""dlx: a compiler for deep-learning experiments. A YAML recipe becomes a trained and tracked run.

    plan = dlx.plan.make(dlx.load("r.yaml"))
    run = dlx.train("r.yaml", {"train.epochs": 3})
    dlx.evaluate(run.folder).metrics
    dlx.predict("last", ["new.csv"]).frame()
    dlx.generate("last", "ROMEO:", temperature=0.8)

Each function is what the verb of the same name calls. Nothing heavy is imported before one is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlx.console import new_console, say
from dlx.trained_runs import embed, evaluate, export, generate, predict, sample
from dlx.version import __version__ as __version__

if TYPE_CHECKING:
    from pytorch_lightning import Callback

    from dlx.diagnostic import Diagnostic
    from dlx.engine.runs.claims import ClaimResult
    from dlx.engine.runs.outcome import Run
    from dlx.engine.runs.reproduce import Reproduction
    from dlx.recipe.load import LoadedRecipe
    from dlx.studies.comparison import ComparisonReport
    from dlx.studies.report import SweepReport

__all__ = [
    "compare", "embed", "evaluate", "export", "generate", "load", "plan", "predict", "reproduce", "resume",
    "sample", "sweep", "test", "train", "validate",
]  # fmt: skip

Overrides = Mapping[str, Any] | Sequence[str]


def load(recipe: str | Path, overrides: Overrides = ()) -> LoadedRecipe:
    """Read and validate a recipe; `overrides` change it: `{"train.epochs": 3}` or `["train.epochs=3"]`.

    Raises: RecipeError with everything that is wrong with it.
    """
    from dlx.recipe import load as reading

    return reading.load(recipe, _pairs(overrides))


def _pairs(overrides: Overrides) -> list[str]:
    import json

    changes = overrides.items() if isinstance(overrides, Mapping) else ()
    return [f"{key}={json.dumps(value)}" for key, value in changes] or list(overrides)


def validate(recipe: str | Path) -> list[Diagnostic]:
    """Return everything that is wrong with a recipe; its shapes are checked where the data have been seen before."""
    from dlx.plan.validation import validate_file

    return list(validate_file(Path(recipe)).diagnostics)


def train(
    recipe: str | Path | LoadedRecipe,
    overrides: Overrides = (),
    *,
    root: str | Path = "runs",
    fast: bool = False,
    find_lr: bool = False,
    force: bool = False,
    console: Any = None,
    callbacks: Sequence[Callback] = (),
    job: str | None = None,
    allow_change: bool = False,
) -> Run:
    """Train a recipe, test what came of it, and track the run under `root`; progress goes to a Rich console, or stderr.

    `fast` runs a few steps of everything; `find_lr` looks for the learning rate first; `callbacks` are Lightning's;
    `force` trains though the plan says that memory is too small; `job` names a job that may be tried several times, of
    which each try goes on with the same run, also where `allow_change` and the recipe changed.
    Raises: RecipeError before anything runs; DataError; RunError if training fails.
    """
    from dlx import plan as planning
    from dlx.errors import UsageError
    from dlx.notices import notice_if_slow
    from dlx.plan.report import addresses, outline
    from dlx.rank import is_worker

    loaded = load(recipe, overrides) if isinstance(recipe, str | Path) else recipe
    if loaded.study is not None:
        verb = "sweep" if loaded.study.sweep is not None else "compare"
        raise UsageError(f"this recipe is of many runs: dlx {verb} {loaded.path}")
    shown = console or new_console(error=True, quiet=is_worker())
    with notice_if_slow(lambda text: say(shown, text), f"{loaded.recipe.name}  reads its data …"):
        plan = planning.make(loaded)
    if not force:
        planning.refuse_training(plan, loaded)
    say(shown, (plan.recipe.name, "bold"), f"  {outline(plan)}")
    for address in addresses(plan.recipe, plan.base):
        say(shown, address)

    from dlx.engine.runs import stages as engine

    if find_lr and plan.stages:
        raise UsageError("the learning rate is found for one training, not for several stages")
    if find_lr:
        from dlx.engine.training import lr_finder as finding

        rate = finding.find_lr(plan)
        plan = finding.with_lr(plan, rate)
        say(shown, f"learning rate  {rate:.3g} (found)")
    return engine.train(
        plan, loaded, shown, root=Path(root), fast=fast, callbacks=callbacks, job=job, allow_change=allow_change
    )


def sweep(
    recipe: str | Path | LoadedRecipe,
    overrides: Overrides = (),
    *,
    workers: int | None = None,
    root: str | Path = "runs",
    console: Any = None,
    on: Literal["ray"] | None = None,
) -> SweepReport:
    """Search as a recipe's section `sweep` says: many trials of the recipe, of which the best are returned first.

    `on="ray"` trains them as tasks of the Ray cluster that RAY_ADDRESS names, or of one on this machine.
    Raises: RecipeError before the first trial, with everything that is wrong with any of them; DataError; RunError if
    no trial can be trained.
    """
    from dlx.plan.study import plan_study
    from dlx.studies import sweep as studies

    loaded = load(recipe, overrides) if isinstance(recipe, str | Path) else recipe
    data = None
    if loaded.study is not None:
        data = plan_study(loaded).prepared  # all that is wrong is said before anything heavy is imported
    options = studies.SweepOptions(console or new_console(error=True), workers, Path(root), on)
    return studies.sweep(loaded, options, data)


def compare(
    recipe: str | Path | LoadedRecipe, overrides: Overrides = (), *, root: str | Path = "runs", console: Any = None
) -> ComparisonReport:
    """Compare the variants of a recipe's section `compare`: what is missing is trained, then they are told apart.

    Raises: RecipeError before the first training, with everything that is wrong with any of them; DataError; RunError.
    """
    from dlx.studies.comparison import compare_variants

    loaded = load(recipe, overrides) if isinstance(recipe, str | Path) else recipe
    return compare_variants(loaded, Path(root), console or new_console(error=True))


def test(recipes: Sequence[str | Path], *, root: str | Path = "runs", console: Any = None) -> list[ClaimResult]:
    """Run recipes for their claims; what goes wrong with one is in its result, and the others are tested as well."""
    from dlx.engine.runs.claims import check_recipe
    from dlx.rank import is_worker

    shown = console or new_console(error=True, quiet=is_worker())
    return [row for recipe in recipes for row in check_recipe(Path(recipe), Path(root), shown)]


def resume(
    run: str | Path,
    recipe: str | Path | None = None,
    overrides: Overrides = (),
    *,
    allow_change: bool = False,
    console: Any = None,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Resume a run where it was interrupted; the end is that of a run that never was.

    A recipe or overrides may change what a run may change; `allow_change` lets them change what it may not lightly.
    Raises: UsageError if there is nothing to go on with; DataError if the data changed; CheckpointError.
    """
    from dlx.engine.runs.finished import refuse_finished
    from dlx.rank import is_worker
    from dlx.run_folders import find_run_folder, stage_status

    folder, changed = find_run_folder(str(run)), _pairs(overrides)
    if recipe is not None or changed:
        load(folder / "resolved.yaml" if recipe is None else recipe, changed)  # what is wrong with it is said at once
    elif not stage_status(folder):
        refuse_finished(folder)

    from dlx.engine.runs import stages as engine

    shown = console or new_console(error=True, quiet=is_worker())
    own = None if recipe is None else Path(recipe)
    return engine.resume(str(run), shown, own, changed, allow_change, callbacks)


def reproduce(
    run: str | Path, *, steps: int | None = None, console: Any = None, callbacks: Sequence[Callback] = ()
) -> list[Reproduction]:
    """Train a run, each of its stages, again from what it stored, and say where it differs. Raises: UsageError."""
    from dlx.engine.runs import reproduce as engine

    return engine.reproduce(str(run), console or new_console(error=True), steps, callbacks)


def __getattr__(name: str) -> Any:
    if name == "plan":
        import importlib

        return importlib.import_module("dlx.plan")
    raise AttributeError(f"module 'dlx' has no attribute {name!r}")
