"""Generated samples compared with real ones.   N generated, M real, D numbers in a sample, K classes."""

from __future__ import annotations

import torch
import torchmetrics
from torch import Tensor


class SampleComparison(torchmetrics.Metric):
    """Collects generated samples and samples of the data, and compares them at the end."""

    full_state_update = False
    generated: list[Tensor]
    real: list[Tensor]
    classes: list[Tensor]

    def __init__(self, max_samples: int) -> None:
        super().__init__()
        self.max_samples = max_samples
        for name in ("generated", "real", "classes"):
            self.add_state(name, [], dist_reduce_fx="cat")

    @property
    def is_full(self) -> bool:
        """Whether there are as many samples as are compared at most."""
        return sum(map(len, self.real)) >= self.max_samples

    def update(self, generated: Tensor, real: Tensor, classes_B: Tensor | None = None) -> None:
        """Add a batch of each, unless there are enough; all are of one class where none is given."""
        if self.is_full:
            return
        if classes_B is None:
            classes_B = torch.zeros(len(real), dtype=torch.long, device=real.device)
        for kept, values in ((self.generated, generated), (self.real, real)):
            kept.append(values.detach().flatten(1).float())
        self.classes.append(classes_B)

    def compute(self) -> Tensor:
        """Return the comparison of all batches."""
        generated_ND, real_MD, classes_M = (self._join(v) for v in (self.generated, self.real, self.classes))
        return self.compare(generated_ND, real_MD, classes_M)

    def compare(self, generated_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return how similar the two sets are."""
        raise NotImplementedError

    def _join(self, batches: list[Tensor] | Tensor) -> Tensor:
        joined = batches if isinstance(batches, Tensor) else torch.cat(batches)
        return joined[: self.max_samples]


class MaximumMeanDiscrepancy(SampleComparison):
    """Squared maximum mean discrepancy with a Gaussian kernel."""

    def __init__(self, max_samples: int, bandwidth: float | None) -> None:
        super().__init__(max_samples)
        self.bandwidth = bandwidth

    def compare(self, generated_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return the unbiased estimate of Gretton et al., lemma 6."""
        n, m = len(generated_ND), len(real_MD)
        real_MM = torch.cdist(real_MD, real_MD)
        width = self.bandwidth or float(real_MM[~torch.eye(m, dtype=torch.bool)].median()) or 1.0
        within = _kernel(torch.cdist(generated_ND, generated_ND), width), _kernel(real_MM, width)
        across = _kernel(torch.cdist(generated_ND, real_MD), width).mean()
        own = [(k.sum() - k.trace()) / (size * (size - 1)) for k, size in zip(within, (n, m), strict=True)]
        return own[0] + own[1] - 2 * across


def _kernel(distance: Tensor, width: float) -> Tensor:
    return (-distance.square() / (2 * width**2)).exp()


class ManifoldOverlap(SampleComparison):
    """The fraction of one set that lies within the k-nearest-neighbor balls of the other."""

    def __init__(self, max_samples: int, n_neighbors: int, of_generated: bool) -> None:
        super().__init__(max_samples)
        self.n_neighbors, self.of_generated = n_neighbors, of_generated

    def compare(self, generated_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return the fraction of the generated samples within the balls of the real ones, or the reverse."""
        queries, centers = (generated_ND, real_MD) if self.of_generated else (real_MD, generated_ND)
        k = min(self.n_neighbors, len(centers) - 1)
        radius_G = torch.cdist(centers, centers).kthvalue(k + 1, dim=1).values  # the first is the sample itself
        return (torch.cdist(queries, centers) <= radius_G).any(1).float().mean()


class ModeCoverage(SampleComparison):
    """Which classes of the data generated samples fall on: within so many deviations of the nearest class's mean."""

    def __init__(self, max_samples: int, max_std: float, fraction: bool) -> None:
        super().__init__(max_samples)
        self.max_std, self.fraction = max_std, fraction

    def compare(self, generated_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return the number of modes that have a sample, or the fraction of samples that lie on a mode."""
        groups = [real_MD[classes_M == name] for name in classes_M.unique()]
        center_KD = torch.stack([group.mean(0) for group in groups])
        std_K = torch.stack([(group - group.mean(0)).square().mean().sqrt() for group in groups])
        distance_N, nearest_N = torch.cdist(generated_ND, center_KD).min(1)
        on_mode_N = distance_N <= self.max_std * std_K[nearest_N]
        return on_mode_N.float().mean() if self.fraction else nearest_N[on_mode_N].unique().numel() * torch.ones(())


class DistanceRatio(SampleComparison):
    """The mean distance between two generated samples, relative to that between two of the data."""

    def compare(self, generated_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return 1 where both vary equally, 0 where all generated samples are the same."""
        generated, real = (torch.pdist(values).mean() for values in (generated_ND, real_MD))
        return generated / real.clamp_min(1e-12)
