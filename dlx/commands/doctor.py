"""Check the installation: versions, devices, tracker, cache, optional packages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from dlx.console import echo
from dlx.run_folders import RUNS

NAME_WIDTH = 17  # of the longest requirement


@dataclass(frozen=True)
class Check:
    """The result of one check; `help` is what to do where something is missing."""

    name: str
    state: str
    fine: bool = True
    help: str = ""

    def __str__(self) -> str:
        advice = f"  →  {self.help}" if self.help else ""
        return f"{'ok ' if self.fine else 'NO '} {self.name:<{NAME_WIDTH}}  {self.state}{advice}"


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check the installation: versions, devices, tracker, cache, optional packages.

    The exit code is 1 if something is missing that dlx needs; absent optional packages are only listed.
    """
    found = []
    for check in _checks():
        found.append(check)
        if not as_json:
            echo(check, flush=True)  # at once: devices and the tracker take seconds to answer
    if as_json:
        from dlx.commands._show import print_json

        print_json([asdict(f) for f in found])
    if not all(f.fine for f in found):
        raise typer.Exit(1)
    echo("next: dlx train RECIPE", error=True)


def _checks() -> Iterator[Check]:
    yield from _versions()
    yield from _devices()
    yield _tracker()
    yield _cache()
    yield _runs()
    yield from _extras()


def _versions() -> list[Check]:
    """Compare the installed versions with the requirements."""
    import platform

    from dlx.installation import requirements

    return [Check("python", platform.python_version()), *map(_package, requirements())]


def _package(requirement: str) -> Check:
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    try:
        here = version(wanted.name)
    except PackageNotFoundError:
        return Check(wanted.name, "is not installed", False, f"pip install '{wanted}'")
    fits = wanted.specifier.contains(here, prereleases=True)
    return Check(wanted.name, here, fits, "" if fits else f"pip install '{wanted}'")


def _devices() -> list[Check]:
    from dlx.machine import processors
    from dlx.plan.hardware import resolve_hardware
    from dlx.recipe.schema.hardware import Hardware

    hardware = resolve_hardware(Hardware())
    return [
        Check("device", f"{hardware.accelerator}, precision {hardware.precision}"),
        Check("threads", f"{hardware.num_threads} of {processors()} cores that this process may use"),
    ]


def _tracker() -> Check:
    from dlx.tracking.status import tracker_status

    address, why = tracker_status()
    if why is None:
        return Check("tracker", f"{address} answers")
    return Check("tracker", f"{address}: {why}", False, "runs are stored here and sent later: dlx runs --sync")


def _cache() -> Check:
    import os

    from dlx.files import cache_folder

    folder = cache_folder()
    there = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(there, os.W_OK):
        return Check("cache", f"{folder} cannot be written", False, "set DLX_CACHE to a writable folder")
    return Check("cache", f"{folder}, {_size(folder)}")


def _runs() -> Check:
    root = RUNS
    unsent = len(list(root.glob("*/tracking.jsonl")))
    waiting = f", {unsent} running or not completely sent" if unsent else ""
    return Check("runs", f"{len(list(root.glob('*/run.json')))} in {root.absolute()}, {_size(root)}{waiting}")


def _size(folder: Path) -> str:
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return f"{size / 1e6:,.1f} MB"


def _extras() -> list[Check]:
    """List the optional packages that are absent, and the command that installs them."""
    from packaging.requirements import Requirement

    from dlx.installation import DISTRIBUTION, extras, install_command

    found = []
    for extra, lines in extras().items():
        needs = [Requirement(line) for line in lines]
        absent = [r.name for r in needs if r.name != DISTRIBUTION and not _package(str(r)).fine]
        state = f"without {', '.join(absent)}" if absent else "complete"
        found.append(Check(f"[{extra}]", state, help=install_command(extra) if absent else ""))
    return found
