"""The proof of an artifact: its predictions, metrics and latency on a split, beside those of its run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dlx.engine.data.batches import Batches
from dlx.engine.export.function import input_tensors
from dlx.engine.export.inputs import ArtifactInput
from dlx.exporters import Exporter, Runtime
from dlx.nn.protocols import Batch, EvaluatesPredictions
from dlx.plan import Plan

SMALL, LARGE = 1, 32
"""Batch sizes of which the latency is measured."""
REPEATS = 200
"""Measured calls of a batch at most; the median of them is the latency."""
LATENCY_SECONDS = 0.5
"""How long the calls of one batch size take together, about."""
WARM_UP = 3


@dataclass(frozen=True)
class Measurement:
    """What a runtime makes of a split: predictions of every batch, seconds of a batch by its size, and metrics."""

    predictions: list[np.ndarray]
    latency: Mapping[int, float]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Proof:
    """An artifact beside its run.

    agreement           share of samples of which the decision is the same; of numbers, of which all are close
    max_abs_difference  between a prediction of the artifact and of the run
    is_close            whether every prediction is within the tolerance
    latency             seconds of a batch by its size, of the artifact
    run_latency         the same of the run, in torch
    metrics             those of the split, by the artifact's predictions
    changes             by how much they differ from those by the run's
    """

    agreement: float
    max_abs_difference: float
    is_close: bool
    latency: Mapping[int, float]
    run_latency: Mapping[int, float]
    metrics: Mapping[str, float]
    changes: Mapping[str, float]

    def figures(self) -> dict[str, float]:
        """Return every figure by its name."""
        return {
            "agreement": self.agreement,
            "max_abs_difference": self.max_abs_difference,
            "latency_ratio": self.latency[SMALL] / self.run_latency[SMALL],
            f"latency_ratio_{LARGE}": self.latency[LARGE] / self.run_latency[LARGE],
            **{f"{name}_change": value for name, value in self.changes.items()},
        }


def run_predictions(module: Any, batches: Batches) -> Iterator[np.ndarray]:
    """Yield what a run predicts of every batch, transformed as for an evaluation."""
    for batch in batches:
        with torch.no_grad():
            predictions = module.predict_step(batch, 0)
        yield predictions.cpu().numpy()


def artifact_predictions(runtime: Runtime, batches: Batches, inputs: Sequence[ArtifactInput]) -> Iterator[np.ndarray]:
    """Yield what an artifact predicts of every batch, as the source has it."""
    for batch in batches:
        predictions, _ = runtime(input_arrays(batch, inputs))
        yield predictions


def measure(
    predictions: Iterable[np.ndarray], runtime: Runtime, module: Any, batches: Batches, inputs: Sequence[ArtifactInput]
) -> Measurement:
    """Return what comes of predictions of a split's batches, and the latency of the runtime."""
    collected, metrics = evaluate_predictions(predictions, module, batches)
    first = input_arrays(next(iter(batches)), inputs)
    return Measurement(collected, {size: median_latency(runtime, first, size) for size in (SMALL, LARGE)}, metrics)


def evaluate_predictions(
    predictions: Iterable[np.ndarray], module: Any, batches: Batches
) -> tuple[list[np.ndarray], dict[str, float]]:
    """Return the predictions of a split's batches, and the metrics of them that the task's module has."""
    collected, is_rated = [], isinstance(module, EvaluatesPredictions)
    if is_rated:
        module.reset_metrics()
    for found, batch in zip(predictions, batches, strict=True):
        collected.append(found)
        if is_rated:
            module.evaluate_predictions(torch.from_numpy(found), batch)
    return collected, {k: float(v) for k, v in module.prediction_metrics().items()} if is_rated else {}


def input_arrays(batch: Batch, inputs: Sequence[ArtifactInput]) -> dict[str, np.ndarray]:
    """Return the inputs of an artifact as arrays."""
    return {name: value.numpy() for name, value in input_tensors(batch, inputs).items()}


def median_latency(runtime: Runtime, inputs: Mapping[str, np.ndarray], size: int) -> float:
    """Return the median seconds that a batch of this size takes."""
    rows = np.arange(size) % len(next(iter(inputs.values())))
    batch = {name: np.ascontiguousarray(value[rows]) for name, value in inputs.items()}
    began = time.perf_counter()
    runtime(batch, WARM_UP)
    once = (time.perf_counter() - began) / WARM_UP
    repeats = int(min(REPEATS, max(WARM_UP, LATENCY_SECONDS / max(once, 1e-9))))
    return statistics.median(runtime(batch, repeats)[1])


def prove(artifact: Measurement, run: Measurement, plan: Plan, exporter: Exporter) -> Proof:
    """Hold what an artifact predicts against what its run predicts."""
    spread = float(np.std(np.concatenate([values.astype(np.float64).ravel() for values in run.predictions])))
    agreements, farthest, is_close = [], 0.0, True
    for padded, theirs in zip(artifact.predictions, run.predictions, strict=True):
        ours = padded[:, : theirs.shape[1]] if theirs.ndim > 1 else padded  # which may be padded further
        close = _close(ours, theirs, exporter.limit(theirs, spread))
        agreements.append(_agreements(ours, theirs, close, plan))
        farthest = max(farthest, _farthest(ours, theirs))
        is_close = is_close and bool(close.all())
    changes = {name: artifact.metrics[name] - value for name, value in run.metrics.items()}
    agreement = float(np.concatenate(agreements).mean())
    return Proof(agreement, farthest, is_close, artifact.latency, run.latency, artifact.metrics, changes)


def _agreements(ours: np.ndarray, theirs: np.ndarray, close: np.ndarray, plan: Plan) -> np.ndarray:
    """Return for each sample whether what is decided is the same; where nothing is decided, whether it is close."""
    task, facts = plan.recipe.task, plan.network_facts
    decisions = task.decisions(theirs, facts)
    same = close if decisions is None else np.asarray(task.decisions(ours, facts) == decisions)
    return np.asarray(same.reshape(len(ours), -1).all(1))


def _close(ours: np.ndarray, theirs: np.ndarray, limit: Any) -> np.ndarray:
    return np.asarray(np.isclose(ours.astype(np.float64), theirs, rtol=0.0, atol=limit, equal_nan=True))


def _farthest(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference; a number that only one of them has is infinitely far away."""
    difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    difference[np.isnan(ours.astype(np.float64)) & np.isnan(theirs.astype(np.float64))] = 0.0
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))
