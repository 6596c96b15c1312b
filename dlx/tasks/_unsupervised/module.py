"""Learning without a target: metrics are a number for every sample, or of all samples of a split together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torchmetrics
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.nn.protocols import Batch
from dlx.tasks import Learning, Task
from dlx.tasks._base.evaluation import EvaluationBuffer
from dlx.tasks._base.meters import build_meters, meters_by_name
from dlx.tasks._base.module import TaskModule
from dlx.tensors import TensorSpec

if TYPE_CHECKING:
    from dlx.tasks._ssl.linear_probe import LinearProbe

MAX_SAMPLES = 2000  # of a test, of which figures are drawn


class FixedNoise:
    """Standard normal numbers that are the same in every evaluation, however its samples are batched.

    They are drawn once from a seed, a row for each of the first samples; later ones take the same rows again.
    """

    MAX_ROWS, MAX_NUMBERS = 4096, 2**22

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._tables: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, index_B: Tensor, shape: Sequence[int]) -> Tensor:
        """Return the noise (B, *shape) of the samples with these numbers."""
        key = tuple(shape)
        if key not in self._tables:
            rows = max(64, min(self.MAX_ROWS, self.MAX_NUMBERS // math.prod(key)))
            generator = torch.Generator().manual_seed(self.seed)
            self._tables[key] = torch.randn(rows, *key, generator=generator).to(index_B.device)
        return self._tables[key][index_B % len(self._tables[key])]


def iterate_silently(steps: Sequence[Any], what: str) -> Iterator[Any]:
    """Iterate over the steps of what takes long, without showing progress."""
    return iter(steps)


class UnsupervisedModule(TaskModule):
    """Networks that learn from inputs alone.

    A task overrides `evaluate_batch`, which measures samples one by one, and may override `split_metrics`, for what is
    known only of all samples of a split together.
    """

    sampling_steps: int = 1
    """How often samples go through a network, unless asked otherwise."""
    watched: Callable[[Sequence[Any], str], Iterator[Any]] = staticmethod(iterate_silently)
    """Iterates over the steps of what may take long, with a progress display where a person watches."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Task) -> None:
        super().__init__(networks, facts, learning, task)
        self.spec: TensorSpec = facts.input  # type: ignore[assignment]
        self.probe = self.build_probe()
        names = [*self.sample_metrics(), *(self.probe.options.metric_names() if self.probe is not None else ())]
        self.means = nn.ModuleDict({f"mean_{name}": torchmetrics.MeanMetric() for name in names})
        self._metrics = build_meters(self.generated_metrics(), facts)
        self.outputs = EvaluationBuffer(MAX_SAMPLES)
        self.collects_outputs = False
        self.noise = FixedNoise()
        self._evaluated = 0

    # -- what a task overrides ----------------------------------------------------------------------------------------

    def sample_metrics(self) -> Sequence[str]:
        """Return the names of the metrics that are means over samples."""
        return ()

    def generated_metrics(self) -> Mapping[str, Metric]:
        """Return the metrics that compare generated samples with data."""
        return {}

    def build_probe(self) -> LinearProbe | None:
        """Return what evaluates the features of an encoder; None where there is none."""
        return None

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        """Return each sample metric's value for every sample; `index_B` numbers the samples of the split."""
        raise NotImplementedError

    def generate(self, batch: Batch, index_B: Tensor) -> Tensor:
        """Return samples from noise, one for each of these numbers, of the classes of the batch where conditional."""
        raise NotImplementedError

    def split_metrics(self, split: str) -> dict[str, Tensor]:
        """Return the metrics of all samples of a split together."""
        return {}

    def on_split_start(self) -> None:
        """Forget what was collected of the last split."""

    def collect_figures(self, few: bool = False) -> None:
        """Add to the outputs what figures need besides evaluated samples; `few`, and fast, while training goes on."""

    # -- training -----------------------------------------------------------------------------------------------------

    def penalty(self, batch: Batch, *roles: str) -> Tensor | float:
        penalty = super().penalty(batch, *roles)
        return penalty if self.probe is None else penalty + self.probe.loss(len(batch["rows"]))

    def after_step(self, batch: Batch) -> None:
        if self.probe is not None:
            self.probe.add_to_bank(self.input_of(batch), batch)

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        self._reset()
        self.collects_outputs = False

    def on_test_epoch_start(self) -> None:
        self._reset()
        self.outputs, self.collects_outputs = EvaluationBuffer(MAX_SAMPLES), True

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.update_metrics(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.update_metrics(batch)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.collect_figures()

    def update_metrics(self, batch: Batch) -> None:
        """Evaluate a batch of the split."""
        size = len(batch["rows"])
        place_B = torch.arange(self._evaluated, self._evaluated + size, device=batch["rows"].device)
        self._evaluated += size
        index_B = place_B * self.trainer.world_size + self.trainer.global_rank
        found = self._evaluate(batch, index_B)
        generated = self.generate(batch, index_B).float() if self._metrics else None
        for meter in meters_by_name(self._metrics).values():
            meter.update(generated, self.input_of(batch), batch.get("target"))
        for key, mean in self.means.items():
            mean.update(found[key.removeprefix("mean_")].detach())  # type: ignore[operator]

    def compute_metrics(self, split: str) -> dict[str, Tensor]:
        means = {key.removeprefix("mean_"): mean.compute() for key, mean in self.means.items()}  # type: ignore[operator]
        of_generated = {name: meter.compute() for name, meter in meters_by_name(self._metrics).items()}
        found = {**means, **of_generated, **self.split_metrics(split)}
        return {f"{split}/{name}": value for name, value in found.items()}

    def figure_inputs(self, batch: Batch) -> EvaluationBuffer:
        kept, self.outputs, self.collects_outputs = self.outputs, EvaluationBuffer(MAX_SAMPLES), True
        try:
            self._evaluate(batch, torch.arange(len(batch["rows"]), device=batch["rows"].device))
            self.collect_figures(few=True)
            return self.outputs
        finally:
            self.outputs, self.collects_outputs = kept, False

    def _evaluate(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        """Return each sample metric's value for every sample, those of its features among them."""
        found = self.evaluate_batch(batch, index_B)
        if self.probe is None:
            return found
        x = self.input_of(batch)
        features_BF = self.probe.encoder(x)
        if self.collects_outputs:
            target = {"target": batch["target"]} if "target" in batch else {}
            self.outputs.add(batch["rows"], {"features": features_BF, **target})
        return found | self.probe.evaluate(features_BF, x, batch)

    def _reset(self) -> None:
        self._evaluated = 0
        for meter in (*self.means.values(), *self._metrics.values()):
            meter.reset()  # type: ignore[operator]
        self.on_split_start()


def to_vectors(values_B: Tensor) -> Tensor:
    """Return (B, N): every sample as a vector."""
    return values_B.flatten(1)


def l2_normalize(values_BF: Tensor) -> Tensor:
    """Return vectors of length 1, in 32 bits or more."""
    return F.normalize(values_BF.to(torch.promote_types(values_BF.dtype, torch.float32)), dim=1)


def value_range(spec: TensorSpec) -> tuple[float, float]:
    """Return the smallest and the greatest value of a field; −1 and 1 where the data do not say."""
    if spec.stats is None or not spec.stats.low:
        return -1.0, 1.0
    return min(spec.stats.low), max(spec.stats.high)
