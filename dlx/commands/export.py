"""Export a trained run as ONNX, .pt2 or safetensors, each held against the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import runs
from dlx.console import echo, new_console, say, styled_text


def command(
    run: Annotated[
        str, typer.Argument(help="An MLflow run id, a name, a directory, a checkpoint, or `last`.", autocompletion=runs)
    ],
    formats: Annotated[
        list[str] | None,
        typer.Argument(help="onnx, torch_export, safetensors; by default those of the recipe, or onnx."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder of the artifacts; by default `export` in the run.")
    ] = None,
    quantize: Annotated[
        str | None, typer.Option("--quantize", help="Also a graph of 8 bits: int8_dynamic or int8_static.")
    ] = None,
    benchmark: Annotated[
        bool, typer.Option("--benchmark", help="Compare all formats in one table, and write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Export a trained run as ONNX, .pt2 or safetensors, each held against the run.

    An artifact is run on the test split by its own runtime. One that does not agree with the run is not written.
    """
    import dlx
    from dlx.commands._show import open_run, print_json

    report = dlx.export(open_run(run), formats or (), folder=output, quantize=quantize, benchmark=benchmark)
    for note in report.notes:
        echo(f"warning: {note}", error=True)
    if as_json:
        print_json(report.to_json())
    else:
        _print_report(report)
    if not benchmark and any(artifact.refusal for artifact in report.artifacts):
        raise typer.Exit(1)


def _print_report(report: Any) -> None:
    """Print a table of the artifacts beside the run, where they are, and what to do next."""
    from rich.table import Table

    from dlx.commands._show import format_bytes
    from dlx.notices import dlx_command

    console = new_console()
    table = Table()
    headings = ["", "agreement", "difference", *report.run_metrics, "ms (1)", "ms (32)", "size", ""]
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    latency = [_milliseconds(value) for value in report.run_latency.values()]
    table.add_row("run", "", "", *(f"{value:.6g}" for value in report.run_metrics.values()), *latency, "", "")
    for artifact in report.artifacts:
        proof = artifact.proof
        if proof is None:
            table.add_row(artifact.name, *[""] * (len(headings) - 2), styled_text(("failed", "red")))
            continue
        table.add_row(
            artifact.name, f"{proof.agreement:.2%}", f"{proof.max_abs_difference:.2g}",
            *(f"{value:.6g}" for value in proof.metrics.values()),
            *(_milliseconds(value) for value in proof.latency.values()), format_bytes(artifact.size),
            styled_text(("differs", "red") if artifact.refusal else ("agrees", "green")),
        )  # fmt: skip
    say(console, f"{report.run}: {report.samples:,} samples of {report.split}")
    console.print(table)
    for artifact in report.artifacts:
        if artifact.refusal:
            say(console, f"{artifact.name} is not written: {artifact.refusal}")
    for path in report.files:
        say(console, f"written     {path}")
    graph = next((path for path in report.files if path.suffix in (".onnx", ".safetensors")), None)
    if graph is not None:
        say(console, f"next        {dlx_command('predict', graph)} INPUT")


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g}"
