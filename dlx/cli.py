"""The command line: mounts each file of `commands/`, and turns what dlx raises into a message and an exit code."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dlx import __version__, commands
from dlx.errors import DlxError, RecipeError

PLUGIN = "A folder with components of your own; may be given more than once."


class Verbs(TyperGroup):
    """A group whose commands are the modules of `dlx.commands`, imported when they are called.

    The help of a verb is the first line of its module, read without importing it.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [m.name.replace("_", "-") for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        verb = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        verb.command(cmd_name)(module.command)
        return typer.main.get_command(verb)


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Compile a YAML recipe into a trained and tracked deep-learning run.",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"dlx {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Show a traceback where dlx would print a message."),
    plugin: Annotated[list[str] | None, typer.Option("--plugin", metavar="PATH", help=PLUGIN)] = None,
) -> None:
    """Compile a YAML recipe into a trained and tracked deep-learning run."""
    if debug:
        os.environ["DLX_DEBUG"] = "1"
    if plugin:
        os.environ["DLX_PLUGINS"] = os.pathsep.join([*plugin, *filter(None, [os.environ.get("DLX_PLUGINS")])])


def main() -> None:
    """Run the command line; the entry point `dlx`."""
    try:
        app()
    except DlxError as error:
        if os.environ.get("DLX_DEBUG"):
            raise
        _show(error)
        sys.exit(error.exit_code)


def _show(error: Any) -> None:
    if isinstance(error, RecipeError):
        from dlx.recipe.diagnostics import render

        render(error.diagnostics)
    else:
        print(f"error: {error}", file=sys.stderr)
