"""Compare runs: the settings in which their recipes differ, their metrics and learning curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.commands._complete import runs as complete
from dlx.commands._options import ask_for_tracker
from dlx.console import echo, new_console
from dlx.errors import UsageError
from dlx.run_folders import RUNS


def command(
    runs: Annotated[
        list[str],
        typer.Argument(help="Runs by name, MLflow id or directory; or one recipe.", autocompletion=complete),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Figure of the curves.")] = Path("comparison.png"),
    root: Annotated[Path, typer.Option("--root", help="Folder with the runs.")] = RUNS,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a claim of `expect` does not hold.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare runs: the settings in which their recipes differ, their metrics and learning curves.

    The learning curves are drawn into one figure. Generative runs with the same metrics of samples are also compared by
    quality, speed and coverage of their samples, in a second figure.

    For a recipe with a section `compare`, the variants that are missing are trained, and their differences tested.
    """
    if len(runs) == 1 and Path(runs[0]).suffix in (".yaml", ".yml"):
        _compare_variants(runs[0], root, as_json, strict)
        return
    if len(runs) < 2:
        raise UsageError("name two runs or more (dlx runs lists them), or a recipe with a section `compare`")
    if output.suffix != ".png":
        raise UsageError(f"{output}: the figure is written as .png")

    from dlx.run_folders import find_run_folder
    from dlx.tracking.comparison import compare_runs

    folders = [find_run_folder(run, root) for run in runs]
    found = compare_runs(folders)
    samples, figures = _draw(folders, found.runs, output)
    if as_json:
        from dlx.commands._show import print_json

        report = {**found.to_json(), "samples": samples and samples.to_json()}
        print_json({**report, "figures": {name: str(path) for name, path in figures.items()}})
    else:
        _print(found, samples, figures)


def _compare_variants(recipe: str, root: Path, as_json: bool, strict: bool) -> None:
    """Train what is missing of a comparison, and print what can be said."""
    import dlx
    from dlx.commands._show import print_json
    from dlx.commands._study import print_comparison

    loaded = dlx.load(recipe)
    ask_for_tracker(loaded)
    report = dlx.compare(loaded, root=root)
    if as_json:
        print_json(report.to_json())
    else:
        print_comparison(report)
    if strict and not report.claims_hold:
        raise typer.Exit(1)


def _draw(folders: list[Path], names: tuple[str, ...], output: Path) -> tuple[Any, dict[str, Path]]:
    """Draw curves, and samples if they can be compared; return what is known of samples, and where figures are."""
    from dlx.figures.runs import compared_curves, quality_against_speed
    from dlx.tracking.comparison import learning_curves
    from dlx.tracking.trilemma import trilemma

    figures = {}
    try:
        figure = compared_curves({name: learning_curves(folder) for name, folder in zip(names, folders, strict=True)})
        if figure is not None:
            figures["curves"] = _save(figure, output)
    except UsageError as error:
        echo(f"warning: {error}", error=True)
    samples = trilemma(folders)
    if samples is not None:
        quality, coverage = ((m.label, m.values) for m in (samples.quality, samples.coverage))
        figure = quality_against_speed(names, samples.seconds, quality, coverage)
        figures["samples"] = _save(figure, output.with_name(f"{output.stem}-samples.png"))
    return samples, figures


def _save(figure: Any, path: Path) -> Path:
    from dlx.files import save_figure

    save_figure(figure, path)
    return path


def _print(found: Any, samples: Any, figures: dict[str, Path]) -> None:
    from rich import box
    from rich.table import Table

    console = new_console()
    sections = {"recipe": found.recipe, "metric": found.metrics}
    if samples is not None:
        measures = (samples.quality, samples.coverage)
        titled = zip(("quality", "coverage"), measures, strict=True)
        rows = {f"{title}: {m.label}": m.values for title, m in titled}
        sections["samples"] = {**rows, "seconds for 64 samples": samples.seconds}
    for title, rows in sections.items():
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in (title, *found.runs):
            table.add_column(heading, overflow="fold")
        for name, values in rows.items():
            table.add_row(name, *map(_format, values))
        console.print(table if rows else f"no {title} differs")
    for name, path in figures.items():
        console.print(f"{name:11} {path}", soft_wrap=True)


def _format(value: Any) -> str:
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
