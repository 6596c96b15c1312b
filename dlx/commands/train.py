"""Train a recipe, evaluate the best checkpoint on the test split, and track the run in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.commands._complete import recipes, runs
from dlx.commands._options import ask_for_tracker
from dlx.console import new_console
from dlx.errors import UsageError

AUTO = "auto"
"""As the run to resume: the one of this job, which may not have begun."""


def command(
    recipe: Annotated[
        str, typer.Argument(help="The recipe; with --resume it may be left out.", autocompletion=recipes)
    ] = "",
    overrides: Annotated[list[str] | None, typer.Argument(help="Values to change: optimizer.lr=0.01")] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            help="Resume this run from its newest checkpoint; auto: the one that an earlier try of this job has left.",
            autocompletion=runs,
        ),
    ] = None,
    allow_change: Annotated[
        bool, typer.Option("--allow-change", help="With --resume: accept changes of the recipe.")
    ] = False,
    fast_dev_run: Annotated[bool, typer.Option("--fast-dev-run", help="Run two batches of each split.")] = False,
    find_lr: Annotated[bool, typer.Option("--find-lr", help="Find the learning rate by a range test first.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train though the plan says that the memory is too small.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a claim of `expect` does not hold.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a recipe, evaluate the best checkpoint on the test split, and track the run in MLflow."""
    import dlx
    from dlx.commands._show import print_json, print_summary

    recipe, changes = _split_words(recipe, overrides or [], resume)

    from dlx.rank import is_worker, job_id

    if resume is not None and resume != AUTO:
        run = dlx.resume(resume, recipe or None, changes, allow_change=allow_change)
    else:
        loaded = dlx.load(recipe, changes)  # what is wrong with it is said before anything heavy is imported
        ask_for_tracker(loaded)
        job = (job_id() or " ".join([str(Path(recipe).resolve()), *changes])) if resume == AUTO else None
        run = dlx.train(loaded, fast=fast_dev_run, find_lr=find_lr, force=force, job=job, allow_change=allow_change)
    if is_worker():
        return  # the process of rank 0 prints
    if as_json:
        print_json(run.to_json())
    else:
        print_summary(run, new_console())
    if strict and not run.claims_hold:
        raise typer.Exit(1)


def _split_words(recipe: str, overrides: list[str], resume: str | None) -> tuple[str, list[str]]:
    """Return the recipe and the overrides: with --resume the first word may be an override already."""
    if "=" in recipe and not Path(recipe).exists():
        recipe, overrides = "", [recipe, *overrides]
    if not recipe and resume == AUTO:
        raise UsageError("give the recipe of the job: dlx train RECIPE --resume auto")
    if not recipe and resume is None:
        raise UsageError("give a recipe: dlx train RECIPE, or a run to resume: dlx train --resume RUN")
    return recipe, overrides
