"""Show the layers, shapes, parameters, multiply-adds and memory of a recipe, without training."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import recipes
from dlx.commands._repeats import collapse_repeats
from dlx.commands._show import format_bytes, print_next
from dlx.console import new_console, say

PIPE_WIDTH = 120  # columns where no terminal says how many there are


def command(
    recipe: Annotated[Path, typer.Argument(help="The recipe.", autocompletion=recipes)],
    overrides: Annotated[list[str] | None, typer.Argument(help="Values to change: train.epochs=3")] = None,
    steps_per_second: Annotated[
        float | None, typer.Option("--steps-per-second", min=0, help="Of a study: how fast it trains, to tell hours.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Show the layers, shapes, parameters, multiply-adds and memory of a recipe, without training.

    The data are read once for their shapes, and remembered.
    """
    import dlx
    from dlx.commands._show import print_notice
    from dlx.notices import notice_if_slow
    from dlx.plan.report import report

    loaded = dlx.load(recipe, overrides or [])
    if loaded.study is not None:
        from dlx.commands._study import print_study_plan

        print_study_plan(loaded, steps_per_second, as_json)
        return
    with notice_if_slow(print_notice, f"{loaded.recipe.name}: reading its data …"):
        found = report(dlx.plan.make(loaded))
    if as_json:
        from dlx.commands._show import print_json

        print_json(found)
        return

    messages = new_console(error=True)
    for stage, part in found.get("stages", {"": found}).items():
        _print_plan(part, ": ".join(filter(None, [found["name"], stage])), messages)
    print_next("train", recipe, *(overrides or []))


def _print_plan(found: dict[str, Any], name: str, messages: Any) -> None:

    console = new_console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    for role, network in found["networks"].items():
        title = name if len(found["networks"]) == 1 else f"{name}: {role}"
        console.print(_layer_table(title, network, found["batch_size"]))
    console.print(_fact_table(found))
    for warning in found["warnings"]:
        say(messages, (f"note[{warning['code']}]:", "yellow"), f" {warning['message']}")


def _layer_table(title: str, network: dict[str, Any], batch: int) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in ("layer", "type", "output"):
        table.add_column(heading, overflow="fold")
    for heading in ("parameters", "multiply-adds", f"activations of {batch}"):
        table.add_column(heading, justify="right")
    layers = list(collapse_repeats(network["layers"]))
    learns = [_describe_learning(layer, network["layer_decay"]) for layer in layers]
    if any(learns):
        table.add_column("learns", overflow="fold")
    table.add_row("", "input", network["input"], style="dim")
    for layer, how in zip(layers, learns, strict=True):
        table.add_row(
            layer["name"], layer["type"], layer["output"], *_costs(layer, batch), *([how] if any(learns) else [])
        )
    table.add_section()
    table.add_row("total", "", network["output"], *_costs(network, batch), style="bold")
    return table


def _describe_learning(layer: dict[str, Any], decay: float | None) -> str:
    """Return the learning rate and first step of a layer where they are not those of the optimizer; "" otherwise.

    `decay` is the layer-wise decay where the number of modules behind the layer is not known.
    """
    factor, step = layer["lr_factor"], layer["learns_from"]
    if layer["adapter"] not in (None, "whole"):
        return str(layer["adapter"])
    if factor is None or step == "never":
        return step or ""
    factors = [f"{factor:.3g}"] if factor != 1 else []
    factors += [f"{decay:g}ⁿ"] if decay is not None else []
    text = [" × ".join(["lr", *factors])] if factors else []
    return ", ".join([*text, f"from step {step:,}"] if step else text)


def _costs(cost: dict[str, Any], batch: int) -> tuple[str, str, str]:
    return f"{cost['parameters']:,}", f"{cost['macs']:,}", format_bytes(batch * cost["activation_bytes"])


def _fact_table(found: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    memory, data = found["memory"], found["data"]
    parts = ", ".join(f"{part} {format_bytes(memory[part])}" for part in memory if part != "total" and memory[part])
    table.add_row("memory", f"{format_bytes(memory['total'])} at batch size {found['batch_size']} ({parts})")
    for role, network in found["networks"].items():
        learning, all_ = network["trainable_parameters"], network["num_parameters"]
        if learning != all_:
            table.add_row("trainable", f"{learning:,} of {all_:,} parameters of {role} ({learning / all_:.2%})")
    if any(network["layer_decay"] for network in found["networks"].values()):
        table.add_row("lr", "n counts modules with a weight matrix nearer the output; optimizer.layers counts layers")
    table.add_row("steps", f"{found['steps']:,}, {found['steps_per_epoch']:,} an epoch")
    best = found["monitor"]
    chosen = "none without a val split: the last weights" if best is None else f"{best['metric']}, its {best['mode']}"
    table.add_row("monitor", f"{chosen} {'are' if best is None else 'is'} the best checkpoint")
    table.add_row("samples", ", ".join(_describe_samples(split, data) for split in data["samples"]))
    for text in data["inferred"]:
        table.add_row("read", text)
    for name, field in data["inputs"].items():
        table.add_row("input", f"{name}: {field['shape']} {field['type']}, transformed to {field['seen']}")
    for text in found["addresses"]:
        table.add_row("network", text)
    if data["target"]:
        table.add_row("target", _describe_target(data))
    for name, value in found["auto"].items():
        table.add_row("auto", f"{name} = {value}")
    return table


def _describe_samples(split: str, data: dict[str, Any]) -> str:
    used = data["limits"].get(split)
    return f"{split} {data['samples'][split]:,}" + (f" (of which {used:,} are used)" if used is not None else "")


def _describe_target(data: dict[str, Any]) -> str:
    if not data["classes"]:
        return "tokens" if data["kind"] == "tokens" else "numbers"
    shown = [f"{name} ({n:,})" for name, n in zip(data["classes"], data["class_counts"], strict=True)]
    return f"{len(shown)} classes: {', '.join(shown[:12])}{' …' if len(shown) > 12 else ''}"
