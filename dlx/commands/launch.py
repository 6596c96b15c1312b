"""Launch a training elsewhere: write the text of a job for a cluster, and submit it where its client is here."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import recipes
from dlx.console import echo, new_console, say
from dlx.errors import UsageError


def command(
    recipe: Annotated[str, typer.Argument(help="The recipe, as the job will find it.", autocompletion=recipes)],
    overrides: Annotated[list[str] | None, typer.Argument(help="Values to change: optimizer.lr=0.01")] = None,
    on: Annotated[str, typer.Option("--on", metavar="LAUNCHER", help="Where: see dlx list launchers.")] = "slurm",
    options: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="KEY=VALUE", help="An option of the launcher: --with partition=gpu"),
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print the text of the job, and submit nothing.")] = False,
) -> None:
    """Launch a training elsewhere: write the text of a job for a cluster, and submit it where its client is here.

    The job trains with --resume auto: put back into the queue, it goes on from its last checkpoint.
    """
    import dlx

    launcher = _read_launcher(on, options or [])
    loaded = dlx.load(recipe, overrides or [])
    if loaded.study is not None:
        raise UsageError(
            "a study is many runs: start it with dlx sweep --on ray, or let jobs join it: dlx sweep --join"
        )
    text = launcher.text(_job(loaded, overrides or []))
    if only_print:
        echo(text.rstrip("\n"))
        return
    _submit(launcher, loaded.recipe.name, text)


def _read_launcher(name: str, options: list[str]) -> Any:
    """Return a launcher with its options. Raises: UsageError with what is wrong with them."""
    import yaml
    from pydantic import ValidationError

    from dlx.launchers import Launcher

    fields: dict[str, Any] = {"type": name}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise UsageError(f"--with {option}: write an option and its value, such as --with partition=gpu")
        fields[key] = yaml.safe_load(value) if value.isdigit() or value in ("true", "false") else value
    try:
        return Launcher.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or name
        near = first.get("ctx", {}).get("suggestion")
        hint = f"; did you mean {near}?" if near else f"; see: dlx show launchers {name}"
        raise UsageError(f"{where}: {first['msg']}{hint}") from None


def _job(loaded: Any, overrides: list[str]) -> Any:
    """Return the job of a recipe; a number of devices that the recipe leaves to the machine is one."""
    from dlx.launchers import Job

    hardware = loaded.recipe.hardware
    devices = hardware.devices
    if not isinstance(devices, int):
        echo("note: hardware.devices is left to the machine: the job asks for one device on each node", error=True)
        devices = 1
    return Job(loaded.recipe.name, str(loaded.path), overrides, hardware.num_nodes, devices, hardware.accelerator)


def _submit(launcher: Any, name: str, text: str) -> None:
    """Write the text of a job into a file, and submit that. Raises: UsageError if it cannot be submitted from here."""
    from dlx.files import write_atomic

    if shutil.which(launcher.client) is None:
        message = f"{launcher.client} is not here, so that nothing was submitted; --print shows the text of the job"
        raise UsageError(message)
    file = Path(f"{name}{launcher.suffix}")
    write_atomic(file, text.encode())
    words = launcher.submit(str(file))
    say(new_console(error=True), f"{file}: {shlex.join(words)}")
    done = subprocess.run(words)
    if done.returncode:
        raise UsageError(f"{shlex.join(words)} ended with {done.returncode}; the text of the job is in {file}")
