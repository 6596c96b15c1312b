"""Show a component, a recipe in canonical form, a run, an error code, the layers of a model, or a gallery recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import components, recipes
from dlx.commands._show import print_next
from dlx.console import echo, new_console


def command(
    what: Annotated[
        str,
        typer.Argument(help="A component, a recipe, a run, `error`, `model` or `recipe`.", autocompletion=components),
    ],
    more: Annotated[
        list[str] | None,
        typer.Argument(
            help="After error: a code. After model: its type, key=value … After recipe: its name.",
            autocompletion=recipes,
        ),
    ] = None,
    origins: Annotated[bool, typer.Option("--origins", help="For a recipe: where each value was written.")] = False,
    input_: Annotated[
        str | None, typer.Option("--input", help="For a model: its input, such as 1x28x28 or 64@1000.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show a component, a recipe in canonical form, a run, an error code, the layers of a model, or a gallery recipe.

    dlx show conv · dlx show layers/dropout · dlx show recipe.yaml optimizer.lr=0.1 · dlx show last ·
    dlx show error DLX301 · dlx show model mlp hidden=[64,32] · dlx show recipe mnist-lenet5
    """
    from dlx.plugins import activate_plugins

    activate_plugins()
    words = more or []
    if what == "error" and words:
        _show_error_code(words[0], as_json)
    elif what == "model" and words:
        _show_model(words[0], words[1:], input_, as_json)
    elif what == "recipe" and words:
        _show_gallery_recipe(words[0], words[1:], origins, as_json)
    elif Path(what).suffix in (".yaml", ".yml"):
        _show_recipe(Path(what), words, origins, as_json)
    else:
        _show_component_or_run(what, as_json)


def _show_error_code(code: str, as_json: bool) -> None:
    from dlx.reference.codes import explain

    text = explain(code)
    _print_json({"code": code.upper(), "text": text}) if as_json else echo(text)


def _show_model(name: str, settings: list[str], given: str | None, as_json: bool) -> None:
    from dlx.plan.architecture import find_input, parse_input, parse_model, shortest_spelling
    from dlx.plan.networks import describe_shape

    model = parse_model(name, settings)
    x = parse_input(given) if given else find_input(model)
    tree = model.tree(x)
    layers = shortest_spelling(model.architecture(x))
    if as_json:
        dims = {key: list(field.dims) for key, field in x.items()} if isinstance(x, Mapping) else list(x.dims)
        _print_json({"type": name, "input": dims, "layers": layers})
    else:
        echo(_to_yaml({"model": {"type": "layers", "layers": layers}}), end="")
    whole = "" if model.has_head else " without the task's head"
    cost = f"{tree.cost(x).parameters:,} parameters{whole}"  # type: ignore[arg-type]
    echo(f"for an input of {describe_shape(x)}: {cost}; dlx show models/{name} says more", error=True)


def _show_gallery_recipe(name: str, overrides: list[str], origins: bool, as_json: bool) -> None:
    """Print the text of a gallery recipe; its canonical form with overrides, --origins or --json."""
    from dlx.reference.recipes import recipe_file

    path = recipe_file(name)
    if overrides or origins or as_json:
        _show_recipe(path, overrides, origins, as_json)
        return
    echo(path.read_text(encoding="utf-8"), end="")
    print_next("train", name)


def _show_recipe(path: Path, overrides: list[str], origins: bool, as_json: bool) -> None:
    from dlx.recipe.load import load
    from dlx.recipe.origins import origins_of

    loaded = load(path, overrides)
    if origins:
        found = origins_of(loaded)
        _print_json([vars(o) for o in found]) if as_json else echo("\n".join(map(str, found)))
    else:
        values = loaded.to_stored()
        _print_json(values) if as_json else echo(_to_yaml(values), end="")
    print_next("plan", path, *overrides)


def _show_component_or_run(word: str, as_json: bool) -> None:
    from dlx.errors import UsageError
    from dlx.recipe.gallery import nearest_recipe
    from dlx.reference.components import describe_component, find_components, similar_names

    docs = [] if Path(word).exists() else [describe_component(leaf) for leaf in find_components(word)]
    if docs:
        from dataclasses import asdict

        _print_json([asdict(doc) for doc in docs]) if as_json else _print_components(docs)
        return
    from dlx.tracking.store import find_run

    folder = Path(word)
    if not (folder / "run.json").exists():
        try:
            folder = find_run(word).folder
        except UsageError as error:
            meant = [*similar_names(word), *(f"recipe {name}" for name in [nearest_recipe(word)] if name)]
            raise UsageError(f"{error}; did you mean {', '.join(meant)}?" if meant else str(error)) from None
    _show_run(folder, as_json)


def _show_run(folder: Path, as_json: bool) -> None:
    from dlx.errors import RunError
    from dlx.files import read_json
    from dlx.recipe.yaml.document import read

    try:
        run = read_json(folder / "run.json")
    except ValueError as error:
        raise RunError(f"{folder / 'run.json'} is damaged: {error}") from None
    resolved = folder / "resolved.yaml"
    if as_json:
        _print_json({"run": run, "recipe": read(resolved).root.plain() if resolved.exists() else None})
        return
    echo(_to_yaml({"run": run}))
    echo(resolved.read_text(encoding="utf-8") if resolved.exists() else "", end="")
    print_next("eval", folder)


def _print_components(docs: list[Any]) -> None:
    from rich import box
    from rich.table import Table

    console = new_console()
    for doc in docs:
        console.print(f"{doc.family}/{doc.type}", style="bold")
        console.print("\n" + "\n\n".join(map(_join_lines, doc.text.split("\n\n"))) + "\n", soft_wrap=True)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("field", "takes", "default", ""):
            table.add_column(heading, overflow="fold", no_wrap=heading == "field")
        for field in doc.fields:
            table.add_row(field.name, field.kind, field.default_yaml or "required", field.text)
        if doc.fields:
            console.print(table)
        if doc.primary:
            console.print(f"A bare value stands for {doc.primary}.\n")
        if doc.install:
            console.print(f"Needs: {doc.install}\n")
        console.print(f"Example:\n\n{doc.example}\n")
    print_next("list", docs[0].family)


def _join_lines(paragraph: str) -> str:
    """Return running text on one line; formulas and labeled lines as they are."""
    lines = paragraph.splitlines()
    running = not any(line.startswith(" ") or ":  " in line for line in lines)
    return " ".join(lines) if running else paragraph


def _to_yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


def _print_json(value: Any) -> None:
    from dlx.commands._show import print_json

    print_json(value)
