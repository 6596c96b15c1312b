"""Figures of a run: learning curves, what the task draws of its test outputs, and texts that it generates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlx.engine.build.experiment import Experiment
from dlx.files import save_figure, write_atomic
from dlx.nn.protocols import HasGradientNorms, HasOutputs, HasTexts

GRADIENT_SAMPLES = 64  # of which gradient norms are drawn
DPI = 120

Curve = Sequence[tuple[float, float]]


def draw_all(
    folder: Path, curves: Mapping[str, Curve], experiment: Experiment, best_epoch: int | None = None
) -> tuple[list[Path], list[str]]:
    """Draw every figure of a finished run as PNG; return where they are, and what could not be drawn, as sentences.

    A figure never costs a run its result: whatever goes wrong in drawing is noted, and the others are drawn.
    """
    paths: list[Path] = []
    notes: list[str] = []
    for what, draw in _draw_functions(curves, experiment, best_epoch).items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths += [_write(folder, name, figure) for name, figure in draw().items()]
        except Exception as error:  # of any library, of any task
            notes.append(f"{what} could not be drawn: {type(error).__name__}: {error}")
    return paths, notes


def _draw_functions(
    curves: Mapping[str, Curve], experiment: Experiment, best_epoch: int | None
) -> dict[str, Callable[[], Mapping[str, Any]]]:
    """Return what draws figures, or writes texts, by what they show."""
    from dlx.figures.learning_curves import Epochs, learning_curves

    task, facts, module = experiment.plan.recipe.task, experiment.plan.facts, experiment.module
    outputs = module.outputs if isinstance(module, HasOutputs) else None
    epochs = Epochs(experiment.plan.length.steps_per_epoch, best_epoch)
    return {
        "learning curves": lambda: (
            {"learning_curves": learning_curves(curves, task.metric_names(facts), epochs)} if curves else {}
        ),
        "figures of the task": lambda: prepare_figures(experiment, module, outputs)(),
        "gradient norms": lambda: _gradient_norms(experiment),
        "use of experts": lambda: _expert_use(experiment),
        "texts": lambda: module.generated_texts() if isinstance(module, HasTexts) else {},
    }


def _write(folder: Path, name: str, figure: Any) -> Path:
    """Write a figure, or a text that the network itself generates."""
    if isinstance(figure, str):
        path = folder / f"{name}.txt"
        write_atomic(path, figure.encode())
    else:
        path = folder / f"{name}.png"
        save_figure(figure, path, dpi=DPI)
    return path


def prepare_figures(experiment: Experiment, module: Any, outputs: Any) -> Callable[[], dict[str, Any]]:
    """Return a function that draws figures of collected outputs, and of first-layer filters as they are now.

    It reads nothing that is trained, so that it may be called in a thread while training goes on.
    """
    from dlx.nn.filters import first_filters

    task, facts, networks = experiment.plan.recipe.task, experiment.plan.facts, experiment.plan.networks
    prepared = experiment.prepared
    arrays = outputs.finalize(prepared.arrays, prepared.identity) if outputs is not None and outputs.rows else None
    found = {role: first_filters(module.networks[role], network.input) for role, network in networks.items()}
    filters = {"filters" if len(found) == 1 else f"filters_{role}": f for role, f in found.items() if f is not None}

    def draw() -> dict[str, Any]:
        from dlx.figures.samples import sheet

        drawn = task.figures(arrays, facts) if arrays is not None else {}
        return drawn | {name: sheet(f.numpy(), f"{len(f)} filters of the first layer") for name, f in filters.items()}

    return draw


def _gradient_norms(experiment: Experiment) -> dict[str, Any]:
    """Draw how far back through time the gradient of the loss reaches in recurrent layers, on a few samples."""
    from dlx.figures.memory import gradient_norm_by_step

    module, batches = experiment.module, experiment.batches
    if not isinstance(module, HasGradientNorms):
        return {}
    evaluated = batches.get("test") or batches.get("val") or batches["train"]
    norms = module.gradient_norms({name: value[:GRADIENT_SAMPLES] for name, value in next(iter(evaluated)).items()})
    return {"gradient_by_step": gradient_norm_by_step(norms)} if norms else {}


def _expert_use(experiment: Experiment) -> dict[str, Any]:
    """Draw how often a mixture chose its experts on the split that was evaluated last."""
    from dlx.figures.experts import expert_use
    from dlx.nn.layer_metrics import layers_with_metrics

    networks: Any = experiment.module.networks
    tallies = {name.partition(".")[2]: m.metric_counts.cpu().numpy() for name, m in layers_with_metrics(networks)}
    return {"experts": expert_use(tallies)} if tallies else {}
