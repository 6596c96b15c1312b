"""Training without a target: what is measured is a number for every sample, or what all samples are together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torchmetrics
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.tasks import Learning
from dlx.tasks._base.module import TaskModule
from dlx.tasks._base.optimizer_step import Batch, Objective
from dlx.tasks._supervised.module import built, by_name
from dlx.tensors import TensorSpec

KEPT_SAMPLES = 2000  # test samples that are kept for pictures


@dataclass(frozen=True)
class EvaluationArrays:
    """What pictures are drawn of: arrays with an entry for each of `rows`, and arrays of samples made from nothing."""

    rows: np.ndarray
    values: Mapping[str, np.ndarray]
    made: Mapping[str, np.ndarray]
    inputs: Mapping[str, Any]


@dataclass
class EvaluationBuffer:
    """Values of test samples, gathered batch by batch, and what was made once they were over."""

    rows: list[Tensor] = field(default_factory=list)
    values: dict[str, list[Tensor]] = field(default_factory=dict)
    made: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, rows: Tensor, **values: Tensor) -> None:
        """Keep a batch, unless there is enough."""
        if sum(map(len, self.rows)) < KEPT_SAMPLES:
            self.rows.append(rows.cpu())
            for name, value in values.items():
                self.values.setdefault(name, []).append(value.detach().float().cpu())

    def join(self, other: EvaluationBuffer) -> None:
        """Add what another process gathered."""
        self.rows += other.rows
        for name, value in other.values.items():
            self.values.setdefault(name, []).extend(value)

    def joined(self, arrays: Mapping[str, Any]) -> EvaluationArrays:
        """Return everything as arrays."""
        values = {name: torch.cat(value).numpy() for name, value in self.values.items()}
        return EvaluationArrays(torch.cat(self.rows).numpy(), values, self.made, arrays)


class FixedNoise:
    """Standard normal numbers that are the same whenever a network is judged, however its samples are batched.

    They are drawn once from a seed, a row for each of the first samples; later ones take the same rows again.
    """

    ROWS, MOST = 4096, 2**22

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._tables: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, index_B: Tensor, shape: Sequence[int]) -> Tensor:
        """Return the noise (B, *shape) of the samples with these numbers."""
        key = tuple(shape)
        if key not in self._tables:
            rows = max(64, min(self.ROWS, self.MOST // math.prod(key)))
            generator = torch.Generator().manual_seed(self.seed)
            self._tables[key] = torch.randn(rows, *key, generator=generator).to(index_B.device)
        return self._tables[key][index_B % len(self._tables[key])]


def unwatched(steps: Sequence[Any], what: str) -> Iterator[Any]:
    """Go through the steps toward something while nobody watches."""
    return iter(steps)


class UnsupervisedModule(TaskModule):
    """Networks that learn from inputs alone.

    A task overrides `judge`, which measures samples one by one, and may override `summary`, for what is known only of
    all samples of a split together.

    measured  what is a mean over samples
    metrics   what is measured of samples that are made, by `made`
    """

    sampling_steps: int = 1
    """How often samples that are made of noise go through a network, unless asked otherwise."""
    watched: Callable[[Sequence[Any], str], Iterator[Any]] = staticmethod(unwatched)
    """Goes through the steps of what may take long, for a person who watches."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        measured: Sequence[str],
        metrics: Mapping[str, Metric] | None = None,
    ) -> None:
        super().__init__(networks, facts, learning)
        self.spec: TensorSpec = facts.input  # type: ignore[assignment]
        self.means = nn.ModuleDict({f"mean_{name}": torchmetrics.MeanMetric() for name in measured})
        self._metrics = built(metrics or {}, facts)
        self.outputs = EvaluationBuffer()
        self.keeps = False
        self.noise = FixedNoise()
        self._judged = 0

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        """Return each metric's value for every sample; `index_B` numbers the samples of the split."""
        raise NotImplementedError

    def made(self, batch: Batch, index_B: Tensor) -> Tensor:
        """Return samples made of noise, one for each of these numbers, and of the classes of a batch where told."""
        raise NotImplementedError

    def summary(self, split: str) -> dict[str, Tensor]:
        """Return what is measured of all samples of a split together."""
        return {}

    def figure_inputs(self, batch: Batch) -> EvaluationBuffer:
        kept, self.outputs, self.keeps = self.outputs, EvaluationBuffer(), True
        try:
            self.evaluate_batch(batch, torch.arange(len(batch["rows"]), device=batch["rows"].device))
            self.show(few=True)
            return self.outputs
        finally:
            self.outputs, self.keeps = kept, False

    def begin(self) -> None:
        """Forget what was gathered of the last split."""

    def show(self, few: bool = False) -> None:
        """Make what pictures need besides the samples that were judged; `few`, and fast, while training goes on."""

    def update_together(self, roles: Sequence[str], batch: Batch, objective: Objective) -> Tensor:
        """Move several networks down the gradient of one objective; return the loss, detached."""

        def whole(portion: Batch) -> Tensor:
            return objective(portion) + self.penalties(roles)

        first, *others = (self.updates[role] for role in roles)
        return first(batch, whole, others)

    def penalties(self, roles: Sequence[str]) -> Tensor | float:
        """Return what regularizers and layers add to the loss of several networks."""
        regularizers = self.learning.regularizers.values()
        terms = [r.penalty(self.networks[role]) for role in roles for r in regularizers]
        terms += [m.auxiliary_loss for m in self._auxiliary]  # type: ignore[misc]
        return sum((t for t in terms if t is not None), start=0.0)

    # -- what Lightning calls -----------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        self._reset()
        self.keeps = False

    def on_test_epoch_start(self) -> None:
        self._reset()
        self.outputs, self.keeps = EvaluationBuffer(), True

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.measure(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.measure(batch)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.show()

    def measured(self, split: str) -> dict[str, Tensor]:
        means = {key.removeprefix("mean_"): mean.compute() for key, mean in self.means.items()}  # type: ignore[operator]
        of_made = {name: meter.compute() for name, meter in by_name(self._metrics).items()}
        return {f"{split}/{name}": value for name, value in {**means, **of_made, **self.summary(split)}.items()}

    def measure(self, batch: Batch) -> dict[str, Tensor]:
        """Measure a batch of the split that is evaluated."""
        size = len(batch["rows"])
        here = torch.arange(self._judged, self._judged + size, device=batch["rows"].device)
        self._judged += size
        index_B = here * self.trainer.world_size + self.trainer.global_rank
        found = self.evaluate_batch(batch, index_B)
        made = self.made(batch, index_B).float() if self._metrics else None
        for meter in by_name(self._metrics).values():
            meter.update(made, self.input_of(batch), batch.get("target"))
        for key, mean in self.means.items():
            mean.update(found[key.removeprefix("mean_")].detach())  # type: ignore[operator]
        return found

    def _reset(self) -> None:
        self._judged = 0
        for meter in (*self.means.values(), *self._metrics.values()):
            meter.reset()  # type: ignore[operator]
        self.begin()


def flat(values_B: Tensor) -> Tensor:
    """Return (B, N): every sample as a vector."""
    return values_B.flatten(1)


def unit(values_BF: Tensor) -> Tensor:
    """Return vectors of length 1, in 32 bits or more."""
    return F.normalize(values_BF.to(torch.promote_types(values_BF.dtype, torch.float32)), dim=1)


def span(spec: TensorSpec) -> tuple[float, float]:
    """Return the least and the greatest value of a field; from −1 to 1 where the data do not say."""
    if spec.stats is None or not spec.stats.low:
        return -1.0, 1.0
    return min(spec.stats.low), max(spec.stats.high)
