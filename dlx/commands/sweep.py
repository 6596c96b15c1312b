"""Search: train many trials of a recipe with other values, and say which were best."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import recipes
from dlx.commands._options import ask_for_tracker
from dlx.commands._show import print_claims, print_next
from dlx.console import echo, new_console, say
from dlx.errors import UsageError
from dlx.installation import install_command
from dlx.notices import dlx_command


def command(
    recipe: Annotated[str, typer.Argument(help="The recipe, with a section `sweep`.", autocompletion=recipes)] = "",
    overrides: Annotated[list[str] | None, typer.Argument(help="Values to change: sweep.search.trials=20")] = None,
    resume: Annotated[str | None, typer.Option("--resume", help="Go on with this study.")] = None,
    join: Annotated[str | None, typer.Option("--join", help="Take trials of a study that others work on.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Show what this study has found so far.")] = None,
    stop: Annotated[str | None, typer.Option("--stop", help="Let this study stop after the trials in hand.")] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes that train at once, instead of the recipe's."),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="CLUSTER", help="ray: train trials on the cluster that RAY_ADDRESS names."),
    ] = None,
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = Path("runs"),
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a claim of `expect` does not hold.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Search: train many trials of a recipe with other values, and say which were best."""
    if sum(map(bool, (recipe, resume, join, status, stop))) != 1:
        raise UsageError("give a recipe: dlx sweep RECIPE, or one of --resume, --join, --status, --stop with a study")
    _check_cluster(on)
    if stop is not None:
        from dlx.studies.sweep import stop_sweep

        study = stop_sweep(stop, root)
        echo(f"{study.name} stops after the trials in hand", error=True)
        print_next("sweep", "--resume", study.name)
        return
    if status is not None:
        report = _status(status, root)
    else:
        report = _search(recipe, overrides or [], resume or join, (workers, on), root)
    if as_json:
        from dlx.commands._show import print_json

        print_json(report.to_json())
    else:
        _print(report)
    if strict and not report.claims_hold:
        raise typer.Exit(1)


def _status(name: str, root: Path) -> Any:
    from dlx.studies.sweep import sweep_status

    return sweep_status(name, root)


def _check_cluster(on: str | None) -> None:
    """Raise UsageError for a cluster that there is none of, or whose package is not here."""
    if on not in (None, "ray"):
        raise UsageError(f"--on {on}: trials are trained on this machine, or on ray; jobs on others may --join")
    if on == "ray" and importlib.util.find_spec("ray") is None:
        raise UsageError(f"--on ray needs Ray: {install_command('ray')}")


def _search(recipe: str, overrides: list[str], resume: str | None, by: tuple[int | None, Any], root: Path) -> Any:
    import dlx

    console, (workers, on) = new_console(error=True), by
    if resume is not None:
        from dlx.studies.sweep import SweepOptions, resume_sweep

        return resume_sweep(resume, SweepOptions(console, workers, root, on))
    loaded = dlx.load(recipe, overrides)
    ask_for_tracker(loaded)
    return dlx.sweep(loaded, workers=workers, root=root, console=console, on=on)


def _print(report: Any) -> None:
    from rich.table import Table

    from dlx.studies.report import describe_point

    console = new_console()
    title = f"{report.name}: {len(report.trials)} of {report.limit} trials, "
    title += ", ".join(f"{count} {status}" for status, count in report.counts.items() if count)
    table = Table(title=title, title_justify="left")
    for heading in ("trial", report.monitor, "status", "values"):
        table.add_column(heading, overflow="fold")
    for trial in report.best[:10]:
        table.add_row(str(trial.number), f"{trial.value:.6g}", trial.status, describe_point(trial.params))
    console.print(table)
    for trial in [t for t in report.trials.values() if t.status == "failed"][:5]:
        say(console, f"note: trial {trial.number} failed: {trial.reason}")
    print_claims(report.claims, console)
    for law in report.laws.values():
        say(console, f"power law   {law}")
    for note in report.notes:
        say(console, f"note: {note}")
    say(console, f"study       {report.folder}")
    if report.best:
        best = report.folder / report.run_of(report.best[0])
        say(console, f"best        {best}\nfigures     {report.folder / 'figures'}")
    if report.is_finished:
        evaluate, predict = (dlx_command(verb, report.name) for verb in ("eval", "predict"))
        say(console, f"next        {evaluate}   ·   {predict} INPUT   ·   dlx ui")
    else:
        say(console, f"next        {dlx_command('sweep', '--resume', report.name)}")
