"""Pictures of a run: learning curves, what the task draws of its test predictions, and texts that it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dlx.engine.build.experiment import Experiment
from dlx.files import save_figure, write_atomic

PROBED = 64  # samples on which gradients are looked at
DPI = 120


def draw_all(
    folder: Path, history: Mapping[str, list[tuple[int, float]]], experiment: Experiment
) -> tuple[list[Path], list[str]]:
    """Draw every figure of a finished run as PNG; return where they are, and what could not be drawn, as sentences.

    A figure never costs a run its result: whatever goes wrong in drawing is said, and the others are drawn.
    """
    from dlx.figures.base import learning_curves

    task, facts, module = experiment.plan.recipe.task, experiment.plan.facts, experiment.module
    names = task.metric_names(facts)
    services: dict[str, Callable[[], dict[str, Any]]] = {
        "learning curves": lambda: {"learning_curves": learning_curves(history, names)} if history else {},
        "figures of the task": lambda: figures(experiment, module, getattr(module, "outputs", None))(),
        "gradient by step": lambda: _memory(experiment),
        "use of experts": lambda: _experts(experiment),
        "texts": lambda: getattr(module, "generated_texts", dict)(),
    }
    paths: list[Path] = []
    notes: list[str] = []
    for what, make in services.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths += [_write(folder, name, made) for name, made in make().items()]
        except Exception as error:  # of any library, of any task
            notes.append(f"{what} could not be drawn: {type(error).__name__}: {error}")
    return paths, notes


def _write(folder: Path, name: str, made: Any) -> Path:
    """Write a figure, or a text that the network itself writes."""
    if isinstance(made, str):
        path = folder / f"{name}.txt"
        write_atomic(path, made.encode())
    else:
        path = folder / f"{name}.png"
        save_figure(made, path, dpi=DPI)
    return path


def figures(experiment: Experiment, module: Any, outputs: Any) -> Callable[[], dict[str, Any]]:
    """Return a function that draws what was gathered of samples, and first layers as they are now.

    It looks at nothing that learns, so that it may be called while training goes on.
    """
    from dlx.nn.filters import first_filters

    task, facts, networks = experiment.plan.recipe.task, experiment.plan.facts, experiment.plan.networks
    shown = outputs.joined(experiment.prepared.arrays) if outputs is not None and outputs.rows else None
    seen = {role: first_filters(module.networks[role], network.input) for role, network in networks.items()}
    filters = {"filters" if len(seen) == 1 else f"filters_{role}": f for role, f in seen.items() if f is not None}

    def draw() -> dict[str, Any]:
        from dlx.figures.samples import sheet

        drawn = task.figures(shown, facts) if shown is not None else {}
        return drawn | {name: sheet(f.numpy(), f"{len(f)} filters of the first layer") for name, f in filters.items()}

    return draw


def _memory(experiment: Experiment) -> dict[str, Any]:
    """Draw how far back recurrent layers feel their mistakes, on a few samples."""
    from dlx.figures.memory import gradient_norm_by_step

    module, batches = experiment.module, experiment.batches
    held = batches.get("test") or batches.get("val") or batches["train"]
    felt: Any = getattr(module, "gradient_norms", None)
    if felt is None:
        return {}
    norms = felt({name: value[:PROBED] for name, value in next(iter(held)).items()})
    return {"gradient_by_step": gradient_norm_by_step(norms)} if norms else {}


def _experts(experiment: Experiment) -> dict[str, Any]:
    """Draw how often layers chose their experts on the split that was evaluated last."""
    from dlx.figures.experts import use_of_experts
    from dlx.nn.layer_metrics import layers_with_metrics

    networks: Any = experiment.module.networks
    tallies = {name.partition(".")[2]: m.metric_counts.cpu().numpy() for name, m in layers_with_metrics(networks)}
    return {"experts": use_of_experts(tallies)} if tallies else {}
