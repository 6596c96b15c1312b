"""How studies are shown: what one will run and cost, and what a comparison found."""

from __future__ import annotations

from typing import Any

from dlx.commands._show import format_bytes, print_claims, print_json, print_next
from dlx.console import new_console, say
from dlx.recipe.load import LoadedRecipe


def print_study_plan(loaded: LoadedRecipe, steps_per_second: float | None, as_json: bool) -> None:
    """Print what a study will run and cost, before its first run."""
    from dlx.plan.study import plan_study, study_report

    found = study_report(plan_study(loaded), steps_per_second)
    if as_json:
        print_json(found)
        return
    from rich.table import Table

    console = new_console()
    if found["sweep"]:
        table = Table(title=f"{loaded.recipe.name}: {found['sweep']['trials']} trials", title_justify="left")
        for heading in ("path", "values"):
            table.add_column(heading, overflow="fold")
        for path, values in found["sweep"]["over"].items():
            table.add_row(path, values)
        console.print(table)
    if found["compare"]:
        variants = ", ".join(found["compare"]["variants"])
        say(console, f"{loaded.recipe.name}: {variants}; {found['compare']['repeats']} trainings of each")
    facts = Table.grid(padding=(0, 2))
    for name, unit in (("parameters", "{:,.0f}"), ("macs", "{:,.0f}"), ("steps", "{:,.0f}")):
        facts.add_row({"macs": "multiply-adds"}.get(name, name), _format_range(found[name], unit.format))
    facts.add_row("memory", f"{format_bytes(found['memory'][1])} at most")
    if found["hours"] is not None:
        facts.add_row("hours", _format_range(found["hours"], "{:.2f}".format))
    console.print(facts)
    verb = "sweep" if found["sweep"] else "compare"
    print_next(verb, loaded.path)


def _format_range(pair: Any, write: Any) -> str:
    low, high = map(write, pair)
    return low if low == high else f"{low} to {high}"


def print_comparison(report: Any) -> None:
    """Print what a comparison found: each variant's mean and difference to the base, in words and figures."""
    from rich.table import Table

    console = new_console()
    level = f"{100 * report.confidence:g} %"
    table = Table(title=f"{report.name}: {report.metric}, {level} intervals", title_justify="left")
    for heading in ("variant", "mean", "difference", "P(better)", "p (Holm)", "verdict"):
        table.add_column(heading, overflow="fold")
    for name, summary in report.variants.items():
        row: list[Any] = [
            name,
            f"{summary.interval.mean:.4g} ± {(summary.interval.high - summary.interval.low) / 2:.2g}",
        ]
        if summary.difference is None:
            row += ["", "", "", report.sentence(name)]
        else:
            d = summary.difference.interval
            row += [f"{d.mean:+.4g} [{d.low:+.2g}, {d.high:+.2g}]", f"{summary.difference.better:.3f}"]
            row += [f"{summary.p:.3g}", report.sentence(name)]
        table.add_row(*row)
    console.print(table)
    print_claims(report.claims, console)
    if report.out_of_fold is not None:
        say(console, f"out of fold {report.out_of_fold}")
    for name, path in report.figures.items():
        say(console, f"{name:11} {path}")
    say(console, f"study       {report.folder}")
