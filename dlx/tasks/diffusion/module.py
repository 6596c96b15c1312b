"""A denoiser and the samples that it makes. B batch, N samples, K classes; x has any dims.

xₜ is a sample after t of T steps toward noise, scaled; the network reads `time` = 1000 t / T and `label`, of which the
last says that the class is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torchmetrics
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.context import apply
from dlx.nn.images import as_picture
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._unsupervised.module import UnsupervisedModule, flat
from dlx.tasks.diffusion._process_torch import Process, Step, times
from dlx.tasks.diffusion._scaling_torch import Scaling

WHOLE_TIME = 1000.0
GOLDEN = 0.6180339887498949  # multiples of it, without their whole parts, spread evenly
SHEET, CLOUD = 64, 1000  # samples that are drawn: images on a sheet, points
FEW, FEW_STEPS = 16, 50  # images that are drawn while training goes on, and steps to them
STRIP, MOMENTS = 10, 9  # images that are drawn on their way, and how often
LEVELS_JUDGED = 8  # times at which predict asks how well a sample is denoised


@dataclass(frozen=True)
class Sampler:
    """How to go back from noise.

    step      what a single step does
    steps     how many there are, unless asked otherwise
    guidance  classifier-free guidance scale; 1 is none
    clip      whether samples on the way are kept in the range of the train split
    """

    step: Step
    steps: int
    guidance: float = 1.0
    clip: bool = True


class DiffusionModule(UnsupervisedModule):
    """One network that takes noise out of samples.

    hide_label  how often it is not told their class; None where it never is
    metrics     what is measured of samples at every evaluation; count is how many are made for them at most
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        facts: DataFacts,
        learning: Learning,
        process: Process,
        predicts: str,
        scaling: Scaling,
        sampler: Sampler,
        hide_label: float | None = None,
        metrics: Mapping[str, torchmetrics.Metric] | None = None,
        count: int = 0,
    ) -> None:
        super().__init__(networks, facts, learning, ["loss"])
        (self.role,) = networks
        self.process, self.predicts, self.scaling, self.sampler = process, predicts, scaling, sampler
        self.sampling_steps = min(sampler.steps, process.steps)
        self.hide_label = hide_label
        self.hidden = len(facts.classes)
        self.quality = nn.ModuleDict({f"of_{name}": metric for name, metric in (metrics or {}).items()})
        self.count = count
        self._real: list[Tensor] = []
        self._classes: list[Tensor] = []

    def forward(self, x_t: Tensor, t_B: Tensor, label_B: Tensor | None = None) -> Tensor:
        """Return what the network says of samples after t steps."""
        told = {"time": t_B * (WHOLE_TIME / self.process.steps)}
        if label_B is not None:
            told["label"] = label_B
        said: Tensor = apply(self.networks[self.role], x_t, told)
        return said

    # -- learning -----------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> None:
        self.note_loss(self.update(self.role, batch, self.objective))

    def objective(self, batch: Batch) -> Tensor:
        """Return the mean squared error at a random time of every sample, with fresh noise."""
        x = self.scaling(self.input_of(batch))
        t_B = torch.randint(1, self.process.steps + 1, (len(x),), device=x.device)
        label_B = self._label(batch)
        if label_B is not None and self.hide_label:
            hiding_B = torch.rand(len(x), device=x.device) < self.hide_label
            label_B = label_B.masked_fill(hiding_B, self.hidden)
        return self.errors(x, t_B, torch.randn_like(x), label_B).mean()

    def errors(self, x: Tensor, t_B: Tensor, eps: Tensor, label_B: Tensor | None) -> Tensor:
        """Return the mean squared error of every sample, scaled, after t steps with this noise."""
        said = self(self.process.noised(x, t_B, eps), t_B, label_B)
        return flat((said - self.process.wanted(self.predicts, x, t_B, eps)).square()).mean(1)

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x = self.scaling(self.input_of(batch))
        t_B = self._spread(index_B)
        errors_B = self.errors(x, t_B, self.noise(index_B, x.shape[1:]), self._label(batch))
        if self.keeps:
            self.outputs.add(batch["rows"], errors=errors_B, seen=self.input_of(batch))
        if self.quality and sum(map(len, self._real)) < self.count:
            self._real.append(self.input_of(batch))
            self._classes += [batch["target"]] if "target" in batch else []
        return {"loss": errors_B}

    def begin(self) -> None:
        self._real, self._classes = [], []

    def summary(self, split: str) -> dict[str, Tensor]:
        if not self.quality:
            return {}
        real = torch.cat(self._real)[: self.count]
        made = self.sample(len(real), seed=self.global_rank)
        classes_N = torch.cat(self._classes)[: self.count] if self._classes else None
        found = {name: _compared(metric, made, real, classes_N) for name, metric in self.quality.items()}
        return {name.removeprefix("of_"): value for name, value in found.items()}

    def _spread(self, index_B: Tensor) -> Tensor:
        """Return a time for every number, such that any stretch of numbers has times from all of the way."""
        share_B = torch.frac((index_B + 1).float() * GOLDEN)
        return 1 + (share_B * self.process.steps).long().clamp(max=self.process.steps - 1)

    def _label(self, batch: Batch) -> Tensor | None:
        return None if self.hide_label is None else batch["target"]

    # -- sampling -----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, seed: int, label: int | None = None, steps: int | None = None) -> Tensor:
        """Return n samples in the units of the data, of a class or of all in turn; the same for the same seed."""
        return self.scaling.back(self.way_back(n, seed, label, steps)[-1])

    @torch.no_grad()
    def way_back(self, n: int, seed: int, label: int | None = None, steps: int | None = None) -> list[Tensor]:
        """Return the samples that are believed in at each step, scaled; the last are the samples themselves."""
        generator = torch.Generator().manual_seed(seed)
        x_t = self._drawn(n, generator)
        label_N = self._asked(n, label)
        stops = times(self.process.steps, steps or self.sampler.steps)
        believed = []
        for t, s in self.watched(list(pairwise(stops)), "making samples"):
            x = self.denoised(x_t, t, label_N)
            believed.append(x)
            x_t = self.sampler.step(self.process, x, x_t, t, s, self._drawn(n, generator))
        return [*believed, x_t]

    def denoised(self, x_t: Tensor, t: int, label_N: Tensor | None) -> Tensor:
        """Return the sample in which the network believes after t steps."""
        t_N = torch.full((len(x_t),), t, device=x_t.device)
        said = self(x_t, t_N, label_N)
        if label_N is not None and self.sampler.guidance != 1:
            unsaid = self(x_t, t_N, torch.full_like(label_N, self.hidden))
            said = unsaid + self.sampler.guidance * (said - unsaid)
        x = self.process.sample_of(self.predicts, said, x_t, t)
        return torch.clamp(x, self.scaling.low, self.scaling.high) if self.sampler.clip else x

    def _drawn(self, n: int, generator: torch.Generator) -> Tensor:
        """Return noise, drawn on the CPU so that it is the same on every device."""
        dims = [d or 1 for d in self.spec.dims]
        return torch.randn(n, *dims, generator=generator).to(self.device)

    def _asked(self, n: int, label: int | None) -> Tensor | None:
        if self.hide_label is None:
            return None
        if label is not None:
            return torch.full((n,), label, device=self.device)
        return torch.arange(n, device=self.device) % self.hidden

    def show(self, few: bool = False) -> None:
        count = (FEW if few else SHEET) if self.spec.axes == "CHW" else CLOUD
        steps = min(FEW_STEPS, self.sampler.steps) if few else self.sampler.steps
        way = self.way_back(count, seed=0, steps=steps)
        moments = [way[round(i * (len(way) - 1) / (MOMENTS - 1))][:STRIP] for i in range(MOMENTS)]
        made = {"samples": way[-1], "moments": torch.stack(moments)}
        self.outputs.made |= {n: as_picture(self.scaling.back(x), self.spec).numpy() for n, x in made.items()}

    # -- predicting ---------------------------------------------------------------------------------------------------

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean error of denoising (B, 1), or the probability of each class by the error as that class."""
        x = self.scaling(self.input_of(batch))
        if self.hide_label is None:
            return self._mean_error(x, batch["rows"], None).unsqueeze(1)
        each = [self._mean_error(x, batch["rows"], torch.full_like(batch["rows"], k)) for k in range(self.hidden)]
        return torch.softmax(-torch.stack(each, dim=1) * flat(x).shape[1], dim=1)

    def _mean_error(self, x: Tensor, rows_B: Tensor, label_B: Tensor | None) -> Tensor:
        total = torch.zeros(len(x), device=x.device)
        for i in range(LEVELS_JUDGED):
            t = 1 + (2 * i + 1) * (self.process.steps - 1) // (2 * LEVELS_JUDGED)
            noise = self.noise(rows_B + i, x.shape[1:])
            total += self.errors(x, torch.full_like(rows_B, t), noise, label_B)
        return total / LEVELS_JUDGED


def _compared(metric: Any, made: Tensor, real: Tensor, classes_N: Tensor | None) -> Tensor:
    metric.reset()
    metric.update(made, real, classes_N)
    value: Tensor = metric.compute()
    metric.reset()  # the samples are no part of a checkpoint, and take memory
    return value
