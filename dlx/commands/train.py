"""Train a recipe, test what came of it, and track the run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlx.commands._complete import recipes


def command(
    recipe: Annotated[Path, typer.Argument(help="The recipe.", autocompletion=recipes)],
    overrides: Annotated[list[str] | None, typer.Argument(help="Values to change: optimizer.lr=0.01")] = None,
    fast_dev_run: Annotated[bool, typer.Option("--fast-dev-run", help="Two batches of everything.")] = False,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Find the learning rate first, and train with it.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a claim of `expect` does not hold.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a recipe, test what came of it, and track the run."""
    import dlx
    from dlx.commands._show import print_json, summary

    loaded = dlx.load(recipe, overrides or [])  # what is wrong with it is said before anything heavy is imported

    from rich.console import Console

    run = dlx.train(loaded, fast=fast_dev_run, find_lr=find_lr)
    if as_json:
        print_json(run.to_json())
    else:
        summary(run, Console(file=sys.stdout))
    if strict and not run.held:
        raise typer.Exit(1)
