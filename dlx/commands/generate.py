"""Generate text, or samples, with a trained run."""

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

SEPARATOR = "\n" + 15 * "-" + "\n"
TEXTS, SAMPLES = (inspect.signature(made).parameters["n"].default for made in (dlx.generate, dlx.sample))


def command(
    run: Annotated[
        str, typer.Argument(help="An MLflow run id, a name, a directory, a checkpoint, or `last`.", autocompletion=runs)
    ],
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="Text to continue, by default a new line; - reads it from stdin.")
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help=f"How many: {TEXTS} text, {SAMPLES} samples.", show_default=False)
    ] = None,
    label: Annotated[str | None, typer.Option("--class", help="Class of the samples, by default all in turn.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Sampling steps from noise to a sample.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A .png, .svg, .pdf, .npz or .npy file.")
    ] = None,
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
    """Generate text, or samples, with a trained run.

    A language model continues a prompt. Images and points are drawn, or saved as arrays.
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
        _generate_samples(restored, n or SAMPLES, seed or 0, label, steps, output, list(asked))
    elif (label, steps, output) != (None, None, None):
        task = restored.plan.recipe.task.type
        raise UsageError(f"--class, --steps and -o are for samples, and the task {task} generates none")
    else:
        _generate_text(restored, prompt, n or TEXTS, asked | ({} if seed is None else {"seed": seed}))


def _generate_text(restored: Any, prompt: str | None, n: int, asked: dict[str, Any]) -> None:
    from dlx.engine.inference.generate import stream, with_seed

    options = read_generation_config(asked)
    _print_warnings(restored.notes)
    prompt = sys.stdin.read() if prompt == "-" else prompt
    for number in range(n):
        pieces = stream(restored, prompt, with_seed(options, number))
        first = next(pieces)
        echo((SEPARATOR if number else "") + first, end="", flush=True)
        for piece in pieces:
            echo(piece, end="", flush=True)
    echo()


def _print_warnings(notes: list[str]) -> None:
    for note in notes:
        echo(f"warning: {note}", error=True)


def _generate_samples(
    restored: Any, n: int, seed: int, label: str | None, steps: int | None, output: Path | None, writing: list[str]
) -> None:
    from dlx.engine.inference.sample import draw_samples

    if writing:
        raise UsageError(f"--{writing[0].replace('_', '-')} is for text, and this run generates samples")
    path = output or Path("samples.png")
    made = draw_samples(restored, n, seed, label, steps)
    _print_warnings(made.notes)
    made.write(path)
    echo(f"{n:,} samples written to {path}", error=True)
