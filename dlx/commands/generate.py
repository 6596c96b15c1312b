"""Let a trained run write text, or make samples."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import dlx
from dlx.commands._complete import runs
from dlx.commands._options import field_option
from dlx.console import echo
from dlx.decoding.config import GenerationConfig, read_generation_config
from dlx.errors import UsageError

BETWEEN = "\n" + 15 * "-" + "\n"
TEXTS, SAMPLES = (inspect.signature(made).parameters["n"].default for made in (dlx.generate, dlx.sample))


def command(
    run: Annotated[
        str, typer.Argument(help="An MLflow run id, a name, a directory, a checkpoint, or `last`.", autocompletion=runs)
    ],
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="What the text begins with, or a new line; - reads it from stdin.")
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help=f"How many: {TEXTS} text, {SAMPLES} samples.", show_default=False)
    ] = None,
    label: Annotated[str | None, typer.Option("--class", help="Of which class samples are; of all in turn.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps from noise to a sample.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where samples go: .png or .npz.")] = None,
    max_new_tokens: Annotated[int | None, field_option(GenerationConfig, "max_new_tokens")] = None,
    temperature: Annotated[float | None, field_option(GenerationConfig, "temperature")] = None,
    top_k: Annotated[int | None, field_option(GenerationConfig, "top_k")] = None,
    top_p: Annotated[float | None, field_option(GenerationConfig, "top_p")] = None,
    repetition_penalty: Annotated[float | None, field_option(GenerationConfig, "repetition_penalty")] = None,
    num_beams: Annotated[int | None, field_option(GenerationConfig, "num_beams")] = None,
    length_penalty: Annotated[float | None, field_option(GenerationConfig, "length_penalty")] = None,
    seed: Annotated[int | None, field_option(GenerationConfig, "seed")] = None,
    stop_strings: Annotated[list[str] | None, field_option(GenerationConfig, "stop_strings")] = None,
) -> None:
    """Let a trained run write text, or make samples.

    Text goes on from a prompt; images and points are drawn, or kept as arrays.
    """
    from dlx.commands._show import open_run
    from dlx.engine.inference.files import check_sample_file

    given: dict[str, Any] = {
        "max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "repetition_penalty": repetition_penalty, "num_beams": num_beams, "length_penalty": length_penalty,
        "stop_strings": stop_strings,
    }  # fmt: skip
    asked = {name: value for name, value in given.items() if value is not None}
    read_generation_config(asked)  # what is wrong with options and names is said before torch is imported
    if output is not None:
        check_sample_file(output)
    checkpoint = open_run(run)

    from dlx.engine.inference.restore import restore
    from dlx.engine.inference.sample import can_sample

    restored = restore(checkpoint)
    if can_sample(restored):
        _make(restored, n or SAMPLES, seed or 0, label, steps, output, list(asked))
    elif (label, steps, output) != (None, None, None):
        raise UsageError(f"a run of the task {restored.plan.recipe.task.type} makes no samples, of which these tell")
    else:
        _write(restored, prompt, n or TEXTS, asked | ({} if seed is None else {"seed": seed}))


def _write(restored: Any, prompt: str | None, n: int, asked: dict[str, Any]) -> None:
    from dlx.engine.inference.generate import stream, with_seed

    how = read_generation_config(asked)
    _warn(restored.notes)
    prompt = sys.stdin.read() if prompt == "-" else prompt
    for number in range(n):
        pieces = stream(restored, prompt, with_seed(how, number))
        first = next(pieces)
        echo((BETWEEN if number else "") + first, end="", flush=True)
        for piece in pieces:
            echo(piece, end="", flush=True)
    echo()


def _warn(notes: list[str]) -> None:
    for note in notes:
        echo(f"warning: {note}", error=True)


def _make(
    restored: Any, n: int, seed: int, label: str | None, steps: int | None, output: Path | None, writing: list[str]
) -> None:
    from dlx.engine.inference.sample import sample_with

    if writing:
        raise UsageError(f"the run makes samples and writes no text, of which --{writing[0].replace('_', '-')} tells")
    path = output or Path("samples.png")
    made = sample_with(restored, n, seed, label, steps)
    _warn(made.notes)
    made.write(path)
    echo(f"{n:,} samples are in {path}", error=True)
