"""Pictures of a run: learning curves, what the task draws of its test predictions, and texts that it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dlx.engine.build.experiment import Experiment

PROBED = 64  # samples on which gradients are looked at


def draw_all(folder: Path, history: Mapping[str, list[tuple[int, float]]], experiment: Experiment) -> list[Path]:
    """Draw every picture of a finished run as PNG and return where they are."""
    from dlx.figures.base import learning_curves

    task, facts, module = experiment.plan.recipe.task, experiment.plan.facts, experiment.module
    drawn = {"learning_curves": learning_curves(history, task.metric_names(facts))} if history else {}
    drawn |= figures(experiment, module, getattr(module, "outputs", None))()
    drawn |= _memory(experiment)
    drawn |= _experts(experiment)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in drawn]
    for path, figure in zip(paths, drawn.values(), strict=True):
        figure.savefig(path, dpi=120)
    return paths + _texts(folder, experiment)


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
    from dlx.nn.layer_metrics import counting

    networks: Any = experiment.module.networks
    tallies = {name.partition(".")[2]: m.metric_counts.cpu().numpy() for name, m in counting(networks)}
    return {"experts": use_of_experts(tallies)} if tallies else {}


def _texts(folder: Path, experiment: Experiment) -> list[Path]:
    """Write down what the network itself writes, if it does."""
    texts: Mapping[str, str] = getattr(experiment.module, "texts", dict)()
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return [folder / f"{name}.txt" for name in texts]
