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
    from dlx.commands._show import print_json, summary
    from dlx.recipe.load import load

    loaded = load(recipe, overrides or [])

    from rich.console import Console

    import dlx.plan
    from dlx.engine.run import train

    plan = dlx.plan.make(loaded)
    console = Console(stderr=True)
    console.print(
        f"[bold]{plan.recipe.name}[/]  {plan.quantities['plan/parameters']:,} parameters, {plan.horizon.steps:,} steps"
    )
    if find_lr:
        from dlx.engine.find_lr import find_lr as search
        from dlx.engine.find_lr import with_lr

        plan = with_lr(plan, search(plan))
        console.print(f"learning rate  {plan.recipe.optimizer['*'].lr:.3g} (found)")
    run = train(plan, loaded, console, fast=fast_dev_run)
    if as_json:
        print_json(run.to_json())
    else:
        summary(run, Console(file=sys.stdout))
    if strict and not run.held:
        raise typer.Exit(1)
