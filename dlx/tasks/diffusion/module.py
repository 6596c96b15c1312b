"""Diffusion model: a denoiser and the samples that it generates. B batch, N samples, K classes; x has any dims.

xₜ is a sample after t of T steps toward noise, scaled; the network reads `time` = 1000 t / T and `label`, of which the
last says that the class is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.context import apply
from dlx.nn.images import to_image
from dlx.nn.low_discrepancy import kronecker_sequence
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._unsupervised.module import UnsupervisedModule, to_vectors
from dlx.tasks.diffusion.noise_scheduler import (
    NoiseScheduler,
    Step,
    cosine_alphas_cumprod,
    ddim_step,
    ddpm_step,
    linear_alphas_cumprod,
    sampling_timesteps,
)
from dlx.tasks.diffusion.scaling import build_scaling

if TYPE_CHECKING:
    from dlx.tasks.diffusion import Diffusion

TIME_SCALE = 1000.0
SHEET, CLOUD = 64, 1000  # samples that are drawn: images on a sheet, points
FEW, FEW_STEPS = 16, 50  # images that are drawn while training goes on, and sampling steps
STRIP, MOMENTS = 10, 9  # images that are drawn on their way from noise, and how often
PREDICT_TIMES = 8  # times at which predict measures how well a sample is denoised
ALPHAS_CUMPROD = {"linear": linear_alphas_cumprod, "cosine": cosine_alphas_cumprod}
T, EPSILON, LABEL = "t", "epsilon", "label"
"""Fields of a batch: the time of each sample, its noise, and the class that the network reads."""


class DiffusionModule(UnsupervisedModule):
    """One network that denoises samples."""

    task: Diffusion

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Diffusion
    ) -> None:
        super().__init__(networks, facts, learning, task)
        (self.role,) = networks
        self.scheduler = NoiseScheduler(ALPHAS_CUMPROD[task.noise_schedule](task.timesteps))
        self.scaling = build_scaling(self.spec, task.resolve_auto(facts).scaling)
        self.sampler_step: Step = ddpm_step if task.sampler == "ddpm" else ddim_step(task.eta)
        self.sampling_steps = min(task.sampling_steps, task.timesteps)
        self.dropped_label = len(facts.classes)
        self.quality = nn.ModuleDict({f"of_{name}": metric.build(facts) for name, metric in task.metrics.items()})
        self._real: list[Tensor] = []
        self._classes: list[Tensor] = []

    def sample_metrics(self) -> Sequence[str]:
        return ("loss",)

    def forward(self, x_t: Tensor, t_B: Tensor, label_B: Tensor | None = None) -> Tensor:
        """Return the network's prediction about samples after t steps."""
        context = {"time": t_B * (TIME_SCALE / self.scheduler.timesteps)}
        if label_B is not None:
            context["label"] = label_B
        prediction: Tensor = apply(self.networks[self.role], x_t, context)
        return prediction

    # -- loss ---------------------------------------------------------------------------------------------------------

    def prepare_step(self, batch: Batch) -> Batch:
        """Draw a time and noise for every sample, and drop the class of some (label dropout)."""
        x = self.input_of(batch)
        drawn = {T: torch.randint(1, self.scheduler.timesteps + 1, (len(x),), device=x.device)}
        label_B = self._label(batch)
        if label_B is not None:
            if self.task.label_dropout:
                dropped_B = torch.rand(len(x), device=x.device) < self.task.label_dropout
                label_B = label_B.masked_fill(dropped_B, self.dropped_label)
            drawn[LABEL] = label_B
        return {**batch, **drawn, EPSILON: torch.randn_like(x)}

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error of the prediction, at a random time of every sample."""
        x = self.scaling(self.input_of(batch))
        return self.errors(x, batch[T], batch[EPSILON], batch.get(LABEL)).mean()

    def errors(self, x: Tensor, t_B: Tensor, eps: Tensor, label_B: Tensor | None) -> Tensor:
        """Return the mean squared error of every scaled sample, after t steps with this noise."""
        prediction = self(self.scheduler.add_noise(x, t_B, eps), t_B, label_B)
        target = self.scheduler.prediction_target(self.task.prediction_type, x, t_B, eps)
        return to_vectors((prediction - target).square()).mean(1)

    def _label(self, batch: Batch) -> Tensor | None:
        return batch["target"] if self.task.conditional else None

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x = self.scaling(self.input_of(batch))
        errors_B = self.errors(x, self._stratified_times(index_B), self.noise(index_B, x.shape[1:]), self._label(batch))
        if self.collects_outputs:
            self.outputs.add(batch["rows"], {"errors": errors_B, "inputs": self.input_of(batch)})
        if self.quality and sum(map(len, self._real)) < self.task.metric_samples:
            self._real.append(self.input_of(batch))
            self._classes += [batch["target"]] if "target" in batch else []
        return {"loss": errors_B}

    def on_split_start(self) -> None:
        self._real, self._classes = [], []

    def split_metrics(self, split: str) -> dict[str, Tensor]:
        if not self.quality:
            return {}
        count = self.task.metric_samples
        real = torch.cat(self._real)[:count]
        generated = self.sample(len(real), seed=self.global_rank)
        classes_N = torch.cat(self._classes)[:count] if self._classes else None
        found = {name: _compare(metric, generated, real, classes_N) for name, metric in self.quality.items()}
        return {name.removeprefix("of_"): value for name, value in found.items()}

    def _stratified_times(self, index_B: Tensor) -> Tensor:
        """Return a time for every number, such that any stretch of numbers has times from all of the way."""
        share_B = kronecker_sequence(index_B.float())
        return 1 + (share_B * self.scheduler.timesteps).long().clamp(max=self.scheduler.timesteps - 1)

    # -- sampling -----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, seed: int, label: int | None = None, steps: int | None = None) -> Tensor:
        """Return n samples in the units of the data, of a class or of all in turn; the same for the same seed."""
        return self.scaling.inverse(self.denoise_noise(n, seed, label, steps)[-1])

    @torch.no_grad()
    def denoise_noise(self, n: int, seed: int, label: int | None = None, steps: int | None = None) -> list[Tensor]:
        """Return the scaled samples that are predicted at each sampling step; the last are the samples themselves."""
        generator = torch.Generator().manual_seed(seed)
        x_t = self._draw_noise(n, generator)
        label_N = self._labels_to_sample(n, label)
        stops = sampling_timesteps(self.scheduler.timesteps, steps or self.task.sampling_steps)
        predicted = []
        for t, s in self.watched(list(pairwise(stops)), "making samples"):
            x = self.denoise(x_t, t, label_N)
            predicted.append(x)
            x_t = self.sampler_step(self.scheduler, x, x_t, t, s, self._draw_noise(n, generator))
        return [*predicted, x_t]

    def denoise(self, x_t: Tensor, t: int, label_N: Tensor | None) -> Tensor:
        """Return the sample that the network predicts after t steps, with classifier-free guidance."""
        t_N = torch.full((len(x_t),), t, device=x_t.device)
        prediction = self(x_t, t_N, label_N)
        if label_N is not None and self.task.guidance_scale != 1:
            unconditional = self(x_t, t_N, torch.full_like(label_N, self.dropped_label))
            prediction = unconditional + self.task.guidance_scale * (prediction - unconditional)
        x = self.scheduler.predicted_sample(self.task.prediction_type, prediction, x_t, t)
        return torch.clamp(x, self.scaling.low, self.scaling.high) if self.task.clip_sample else x

    def _draw_noise(self, n: int, generator: torch.Generator) -> Tensor:
        """Return noise, drawn on the CPU so that it is the same on every device."""
        dims = [d or 1 for d in self.spec.dims]
        return torch.randn(n, *dims, generator=generator).to(self.device)

    def _labels_to_sample(self, n: int, label: int | None) -> Tensor | None:
        if not self.task.conditional:
            return None
        if label is not None:
            return torch.full((n,), label, device=self.device)
        return torch.arange(n, device=self.device) % self.dropped_label

    def collect_figures(self, few: bool = False) -> None:
        count = (FEW if few else SHEET) if self.spec.axes == "CHW" else CLOUD
        steps = min(FEW_STEPS, self.task.sampling_steps) if few else self.task.sampling_steps
        predicted = self.denoise_noise(count, seed=0, steps=steps)
        moments = [predicted[round(i * (len(predicted) - 1) / (MOMENTS - 1))][:STRIP] for i in range(MOMENTS)]
        found = {"samples": predicted[-1], "moments": torch.stack(moments)}
        images = {name: to_image(self.scaling.inverse(x), self.spec).numpy() for name, x in found.items()}
        self.outputs.extras |= images

    # -- predicting ---------------------------------------------------------------------------------------------------

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean error of denoising (B, 1), or the probability of each class by the error as that class."""
        x = self.scaling(self.input_of(batch))
        if not self.task.conditional:
            return self._mean_error(x, batch["rows"], None).unsqueeze(1)
        classes = range(self.dropped_label)
        each = [self._mean_error(x, batch["rows"], torch.full_like(batch["rows"], k)) for k in classes]
        return torch.softmax(-torch.stack(each, dim=1) * to_vectors(x).shape[1], dim=1)

    def _mean_error(self, x: Tensor, rows_B: Tensor, label_B: Tensor | None) -> Tensor:
        total = torch.zeros(len(x), device=x.device)
        for i in range(PREDICT_TIMES):
            t = 1 + (2 * i + 1) * (self.scheduler.timesteps - 1) // (2 * PREDICT_TIMES)
            noise = self.noise(rows_B + i, x.shape[1:])
            total += self.errors(x, torch.full_like(rows_B, t), noise, label_B)
        return total / PREDICT_TIMES


def _compare(metric: Any, generated: Tensor, real: Tensor, classes_N: Tensor | None) -> Tensor:
    metric.reset()
    metric.update(generated, real, classes_N)
    value: Tensor = metric.compute()
    metric.reset()  # the samples are no part of a checkpoint, and take memory
    return value
