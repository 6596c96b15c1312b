"""The command line: mounts each file of `commands/`, and turns what dlx raises into a message and an exit code."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from dlx import commands
from dlx.console import echo, use_fallback_encoding
from dlx.errors import DlxError, RecipeError
from dlx.os_errors import os_message
from dlx.permissions import allow_variables, choose_tracker
from dlx.version import __version__

HELP = {"help_option_names": ["-h", "--help"]}
PLUGIN = "A folder with components of your own; may be given more than once."
ENV = "An environment variable that recipes may read, besides DLX_*, HOME and USER; may be given more than once."
TRACKING = "Track runs at this MLflow URI, whatever the recipe names."


class Verbs(TyperGroup):
    """A group whose commands are the modules of `dlx.commands`, each imported when it is called.

    The help of a verb is the first line of its module, read without importing it.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [m.name.replace("_", "-") for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a stand-in that knows its name and help; `resolve_command` brings the verb itself."""
        return TyperCommand(cmd_name, help=_first_line(cmd_name)) if cmd_name in self.list_commands(ctx) else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self.commands = dict.fromkeys(self.list_commands(ctx))  # type: ignore[assignment]  # only names, to suggest one
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and _verb(str(name)), rest


def _module(verb: str) -> str:
    return verb.replace("-", "_")


def _first_line(verb: str) -> str:
    text = (Path(commands.__path__[0]) / f"{_module(verb)}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _verb(name: str) -> Any:
    module = importlib.import_module(f"{commands.__name__}.{_module(name)}")
    verb = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=HELP)
    verb.command(name)(module.command)
    found = typer.main.get_command(verb)
    reads_recipes = any(option.name in ("recipe", "recipes", "run", "runs") for option in found.params)
    found.params += _permission_options(hidden=not reads_recipes)
    return found


def _allow_variables(value: list[str] | None) -> None:
    allow_variables(value or [])


def _choose_tracker(value: str | None) -> None:
    choose_tracker(value)


_ACTS_AS_READ: dict[str, Any] = {"expose_value": False, "is_eager": True}
ENV_OPTION: Any = typer.Option(None, "--env", metavar="NAME", help=ENV, callback=_allow_variables, **_ACTS_AS_READ)
TRACKING_OPTION: Any = typer.Option(
    None, "--tracking-uri", metavar="URI", help=TRACKING, callback=_choose_tracker, **_ACTS_AS_READ
)


def _permission_options(hidden: bool) -> list[Any]:
    """Return the options that say what a recipe may read and where its runs are sent; they act as they are read."""

    def permit(env: list[str] | None = ENV_OPTION, tracking_uri: str | None = TRACKING_OPTION) -> None:
        """Never called: the options of this function are wanted."""

    holder = typer.Typer(add_completion=False)
    holder.command()(permit)
    options = list(typer.main.get_command(holder).params)
    for option in options:
        option.hidden = hidden  # type: ignore[attr-defined]
    return options


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=HELP,
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
    env: Annotated[list[str] | None, typer.Option("--env", metavar="NAME", help=ENV)] = None,
    tracking_uri: Annotated[str | None, typer.Option("--tracking-uri", metavar="URI", help=TRACKING)] = None,
) -> None:
    """Compile a YAML recipe into a trained and tracked deep-learning run."""
    if debug:
        os.environ["DLX_DEBUG"] = "1"
    else:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # its C++ parts warn of what dlx decides
    if plugin:
        os.environ["DLX_PLUGINS"] = os.pathsep.join([*plugin, *filter(None, [os.environ.get("DLX_PLUGINS")])])
    allow_variables(env or [])
    choose_tracker(tracking_uri)


def main() -> None:
    """Run the command line; the entry point `dlx`."""
    use_fallback_encoding()
    try:
        try:
            app()
        finally:
            _flush_output()
    except DlxError as error:
        if os.environ.get("DLX_DEBUG"):
            raise
        _show(error)
        sys.exit(error.exit_code)
    except OSError as error:
        if os.environ.get("DLX_DEBUG"):
            raise
        with suppress(OSError):  # what the output itself says cannot be printed
            echo(f"error: {os_message(error)}", error=True)
        sys.exit(1)
    except MemoryError:
        echo("error: out of memory: use smaller data, batches or networks, or end other programs", error=True)
        sys.exit(1)


def _flush_output() -> None:
    """Write what is left of the output. Raises: OSError if it cannot be written; it is not tried again at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _show(error: Any) -> None:
    if isinstance(error, RecipeError):
        from dlx.recipe.diagnostics.frames import render

        render(error.diagnostics)
    else:
        echo(f"error: {error}", error=True)
