"""Printing of results: tables for people, JSON for programs, notices on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dlx.console import echo, is_printable, say, styled_text
from dlx.notices import dlx_command


def print_notice(text: str) -> None:
    """Print a progress notice on stderr at once."""
    echo(text, error=True, flush=True)


def print_next(*words: object) -> None:
    """Print the command that follows, on stderr, quoted for a shell."""
    echo(f"next: {dlx_command(*words)}", error=True)


def open_run(run: str) -> Path:
    """Return the checkpoint of a run, and say that it is loaded: importing torch takes seconds. Raises: UsageError."""
    from dlx.tracking.store import find_checkpoint

    checkpoint = find_checkpoint(run)
    print_notice(f"loading {checkpoint} …")
    return checkpoint


def print_json(value: Any) -> None:
    """Print plain values as JSON on stdout; what a terminal might obey is escaped as JSON has it."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    sys.stdout.write((text if is_printable(text) else json.dumps(value, indent=2)) + "\n")


def describe_baselines(found: Mapping[str, float]) -> str:
    """Write what baselines reach, one a line."""
    return "\n".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in found.items())


def print_summary(run: Any, console: Any) -> None:
    """Print how a run ended, its metrics, whether its claims held, where it is, and what to do next."""
    from rich.table import Table

    from dlx.engine.runs.outcome import group_baselines

    how = f", {run.ending}" if run.ending else ""
    table = Table(title=f"{run.name}: {run.seconds:.1f} s of training{how}", title_justify="left")
    claims, baselines = {v.metric: v for v in run.verdict}, group_baselines(run.metrics)
    for heading in ("metric", "value", *(["baselines"] if baselines else []), "expected", "verdict"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    beside = {f"{metric}.{name}" for metric, found in baselines.items() for name in found} - set(claims)
    for metric in dict.fromkeys([*sorted(set(run.metrics) - beside), *claims]):
        claim = claims.get(metric)
        value = run.metrics.get(metric, claim.value if claim else None)
        verdict = "" if claim is None else styled_text(("held", "green") if claim.held else ("failed", "red"))
        others = [describe_baselines(baselines.get(metric, {}))] if baselines else []
        shown = "–" if value is None else f"{value:.6g}"
        table.add_row(metric, shown, *others, str(claim.claim) if claim else "", verdict)
    console.print(table)
    print_origins(run.verdict, console)
    for note in run.notes:
        say(console, f"note: {note}")
    say(console, f"run         {run.folder}\ncheckpoint  {run.checkpoint}")
    if run.figures:
        say(console, f"figures     {run.folder / 'figures'}")
    say(console, "next        dlx ui   ·   dlx eval last   ·   dlx predict last INPUT")


def print_claims(claims: Iterable[Any], console: Any) -> None:
    """Print whether each claim held, and where its bound comes from."""
    for claim in claims:
        shown = "–" if claim.value is None else f"{claim.value:.6g}"
        origin = f" ({claim.origin})" if claim.origin else ""
        say(console, f"claim       {claim.metric} {claim.claim}: {shown}, {'held' if claim.held else 'failed'}{origin}")


def print_origins(claims: Iterable[Any], console: Any) -> None:
    """Print where the bounds of claims come from, as far as recipes say."""
    for claim in claims:
        if claim.origin:
            say(console, f"claim       {claim.metric} {claim.claim}: {claim.origin}")


def format_bytes(count: float) -> str:
    """Format a number of bytes with its binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
