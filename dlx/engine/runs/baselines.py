"""Baselines of a run: fitted on its train split, and measured where its network is, by the same metrics."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dlx.baselines import Baseline, BaselineProblem, BaselineSplit, is_text
from dlx.data.splits import limit_rows
from dlx.engine.build.experiment import Experiment
from dlx.engine.data.batches import Batches
from dlx.engine.runs.outcome import group_baselines
from dlx.engine.training.progress import StepProgress
from dlx.nn.protocols import HasBaselines
from dlx.plan import Plan
from dlx.plan.plan import is_better_higher

FAST_SAMPLES = 256
"""Samples on which baselines are fitted where everything is only tried."""


def measure_baselines(experiment: Experiment, console: Any, fast: bool = False) -> tuple[dict[str, float], list[str]]:
    """Return the metrics of the recipe's baselines, as `test/accuracy.majority`, and what could not be measured."""
    recipe, facts, module = experiment.plan.recipe, experiment.plan.network_facts, experiment.module
    problem = recipe.task.baseline_problem(facts)
    split = baseline_split(experiment.batches)
    if isinstance(recipe.baselines, str) or problem is None or split is None or not isinstance(module, HasBaselines):
        return {}, []
    if not recipe.baselines:
        return {}, []
    samples = _Samples(experiment, module, problem)
    tested = samples.read(experiment.batches[split].rows, training=False)
    metrics: dict[str, float] = {}
    notes: list[str] = []
    for name, baseline in StepProgress(console)(list(recipe.baselines.items()), "baselines"):
        try:
            found = _measure(baseline, samples, tested, min(FAST_SAMPLES, baseline.max_samples) if fast else None)
        except (ValueError, MemoryError, np.linalg.LinAlgError) as error:
            notes.append(f"the baseline {name} is not measured: {error}")
            continue
        wanted = recipe.task.baseline_metrics(facts)
        metrics |= {f"{split}/{metric}.{name}": float(found[metric]) for metric in wanted if metric in found}
    return metrics, notes


def baseline_split(splits: Mapping[str, Any]) -> str | None:
    """Return the split on which baselines are measured: test, or val where there is no test split."""
    return next((split for split in ("test", "val") if splits.get(split)), None)


def notes_on_baselines(plan: Plan, metrics: Mapping[str, float]) -> list[str]:
    """Say which baselines are better than the network, and by which metric."""
    notes = []
    for metric, others in group_baselines(metrics).items():
        sign = 1 if is_better_higher(plan, metric) else -1
        for name in (
            n for n, value in others.items() if n in plan.recipe.baselines and sign * value > sign * metrics[metric]
        ):
            notes.append(f"{name} is better than the network: {metric} {others[name]:.4g}, not {metrics[metric]:.4g}")
    return notes


def _measure(
    baseline: Baseline, samples: _Samples, tested: Mapping[str, Any], limit: int | None
) -> Mapping[str, torch.Tensor]:
    trained = samples.read(samples.train_rows(limit or baseline.max_samples), training=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, such as about convergence
        found = baseline.fit_predict(samples.split(trained), samples.split(tested), samples.problem)
    prediction = torch.as_tensor(np.ascontiguousarray(found), device=samples.module.device)
    metrics: Mapping[str, torch.Tensor] = samples.module.baseline_metrics(prediction.float(), tested)
    return metrics


class _Samples:
    """The samples of an experiment as baselines see them: transformed as for the network, but not augmented."""

    def __init__(self, experiment: Experiment, module: Any, problem: BaselineProblem) -> None:
        self.experiment, self.module, self.problem = experiment, module, problem
        self._read: dict[tuple[bool, int], dict[str, Any]] = {}

    def train_rows(self, limit: int) -> np.ndarray:
        """Return an even draw of the rows that the network was trained on."""
        prepared = self.experiment.prepared
        labels = prepared.arrays.get("target") if prepared.facts.has_one_class_each else None
        return limit_rows(self.experiment.batches["train"].rows, limit, labels, self.experiment.plan.recipe.seed)

    def read(self, rows: np.ndarray, training: bool) -> dict[str, Any]:
        """Return the fields of these rows: tensors (N, …), of texts a list of N arrays of codes."""
        key = (training, len(rows))
        if key not in self._read:
            self._read[key] = self._gather(rows, training)
        return self._read[key]

    def _gather(self, rows: np.ndarray, training: bool) -> dict[str, Any]:
        batches: Batches = next(b for name, b in self.experiment.batches.items() if name in ("test", "val"))
        parts: dict[str, list[Any]] = {}
        done = 0
        for batch in replace(batches, rows=rows, rank=0, num_replicas=1):
            index_B = torch.arange(done, done + len(batch["rows"]), device=batch["rows"].device)
            done += len(index_B)
            fields = self.module.baseline_fields(batch, index_B, training)
            for name, value in {**fields, "rows": batch["rows"]}.items():
                parts.setdefault(name, []).extend(_texts(value) if self._is_text(name) else [value])
        return {name: part if self._is_text(name) else torch.cat(part) for name, part in parts.items()}

    def _is_text(self, name: str) -> bool:
        return name in self.problem.fields and is_text(self.problem.fields[name])

    def split(self, fields: Mapping[str, Any]) -> BaselineSplit:
        """Return fields as the arrays that a baseline is given."""
        inputs = {name: v if self._is_text(name) else _array(v) for name, v in fields.items() if name in self.inputs}
        time = self.experiment.prepared.time
        steps = None if time is None else time[_array(fields["rows"]), 0]
        return BaselineSplit(inputs, _array(fields["target"]), steps)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input fields."""
        return self.problem.facts.inputs


def _texts(codes_BT: torch.Tensor) -> list[np.ndarray]:
    """Return the codes of each text without the padding, which is 0."""
    return [codes_T[codes_T != 0] for codes_T in _array(codes_BT)]


def _array(value: torch.Tensor) -> np.ndarray:
    array: np.ndarray = value.detach().cpu().numpy()
    return array
