"""Two sets of samples held against one another. N made, M real, D numbers in a sample."""

from __future__ import annotations

import torch
import torchmetrics
from torch import Tensor


class TwoSets(torchmetrics.Metric):
    """Gathers samples that were made and samples of the data, and compares them at the end."""

    full_state_update = False
    made: list[Tensor]
    real: list[Tensor]
    classes: list[Tensor]

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.samples = samples
        for name in ("made", "real", "classes"):
            self.add_state(name, [], dist_reduce_fx="cat")

    @property
    def is_full(self) -> bool:
        """Whether there are as many samples as are asked for."""
        return sum(map(len, self.real)) >= self.samples

    def update(self, made: Tensor, real: Tensor, classes_B: Tensor | None = None) -> None:
        """Add a batch of each, unless there is enough; all are of one class where none is given."""
        if self.is_full:
            return
        if classes_B is None:
            classes_B = torch.zeros(len(real), dtype=torch.long, device=real.device)
        for kept, values in ((self.made, made), (self.real, real)):
            kept.append(values.detach().flatten(1).float())
        self.classes.append(classes_B)

    def compute(self) -> Tensor:
        """Return what the comparison says."""
        made_ND, real_MD, classes_M = (self._all(v) for v in (self.made, self.real, self.classes))
        return self.compare(made_ND, real_MD, classes_M)

    def compare(self, made_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return how alike two sets are."""
        raise NotImplementedError

    def _all(self, parts: list[Tensor] | Tensor) -> Tensor:
        whole = parts if isinstance(parts, Tensor) else torch.cat(parts)
        return whole[: self.samples]


class Discrepancy(TwoSets):
    """Squared maximum mean discrepancy with a gaussian kernel."""

    def __init__(self, samples: int, bandwidth: float | None) -> None:
        super().__init__(samples)
        self.bandwidth = bandwidth

    def compare(self, made_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return the unbiased estimate of Gretton et al., lemma 6."""
        n, m = len(made_ND), len(real_MD)
        real_MM = torch.cdist(real_MD, real_MD)
        width = self.bandwidth or float(real_MM[~torch.eye(m, dtype=torch.bool)].median()) or 1.0
        within = _kernel(torch.cdist(made_ND, made_ND), width), _kernel(real_MM, width)
        across = _kernel(torch.cdist(made_ND, real_MD), width).mean()
        own = [(k.sum() - k.trace()) / (size * (size - 1)) for k, size in zip(within, (n, m), strict=True)]
        return own[0] + own[1] - 2 * across


def _kernel(distance: Tensor, width: float) -> Tensor:
    return (-distance.square() / (2 * width**2)).exp()


class Neighbourhood(TwoSets):
    """The share of one set that lies within the k-nearest-neighbour balls of the other."""

    def __init__(self, samples: int, neighbours: int, of_made: bool) -> None:
        super().__init__(samples)
        self.neighbours, self.of_made = neighbours, of_made

    def compare(self, made_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return how many of `made` lie among `real`, or the reverse."""
        asked, ground = (made_ND, real_MD) if self.of_made else (real_MD, made_ND)
        k = min(self.neighbours, len(ground) - 1)
        radius_G = torch.cdist(ground, ground).kthvalue(k + 1, dim=1).values  # the first is the sample itself
        return (torch.cdist(asked, ground) <= radius_G).any(1).float().mean()


class Modes(TwoSets):
    """Which classes of the data samples fall on: within so many deviations of the nearest class's mean."""

    def __init__(self, samples: int, within: float, share: bool) -> None:
        super().__init__(samples)
        self.within, self.share = within, share

    def compare(self, made_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return the number of modes that have a sample, or the share of samples that lie on a mode."""
        names = classes_M.unique()
        groups = [real_MD[classes_M == name] for name in names]
        centres_KD = torch.stack([group.mean(0) for group in groups])
        spread_K = torch.stack([(g - g.mean(0)).square().mean().sqrt() for g in groups])
        distance_N, nearest_N = torch.cdist(made_ND, centres_KD).min(1)
        good_N = distance_N <= self.within * spread_K[nearest_N]
        return good_N.float().mean() if self.share else nearest_N[good_N].unique().numel() * torch.ones(())


class Spread(TwoSets):
    """The mean distance between two samples that were made, as a share of that between two of the data."""

    def compare(self, made_ND: Tensor, real_MD: Tensor, classes_M: Tensor) -> Tensor:
        """Return 1 where both differ equally among themselves, 0 where all that were made are the same."""
        made, real = (torch.pdist(values).mean() for values in (made_ND, real_MD))
        return made / real.clamp_min(1e-12)
