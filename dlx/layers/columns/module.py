"""Features of a table's columns. B batch, N numeric columns, M categorical columns, Q quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

TAIL = 1e-3  # probabilities are clipped to this, so that no quantile is mapped to infinity


class _MissingIndicator(nn.Module):
    """Scales numbers, replaces missing ones by 0, and appends missing-value indicators of columns that have some."""

    missing: Tensor

    def __init__(self, missing: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("missing", torch.tensor(missing, dtype=torch.int64))

    def map(self, x_BN: Tensor) -> Tensor:
        """Return comparable numbers of the same shape."""
        raise NotImplementedError

    def forward(self, x_BN: Tensor) -> Tensor:
        """Return features and indicators."""
        absent_BN = x_BN.isnan()
        mapped_BN = self.map(x_BN).masked_fill(absent_BN, 0.0)
        return torch.cat([mapped_BN, absent_BN[:, self.missing].to(mapped_BN.dtype)], dim=1)


class Standardize(_MissingIndicator):
    """Standardization: (x − mean) / std; a constant column becomes 0."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], missing: Sequence[int]) -> None:
        super().__init__(missing)
        self.register_buffer("mean", torch.tensor(mean).nan_to_num())  # a column without any value has none
        self.register_buffer("std", torch.tensor([s if s > 0 else 1.0 for s in std]))

    def map(self, x_BN: Tensor) -> Tensor:
        """Return standardized numbers."""
        return (x_BN - self.mean) / self.std


class QuantileTransform(_MissingIndicator):
    """Quantile transform: the fraction of the training data below x, as a uniform or a normal number.

    Where several quantiles are equal, as they are for a frequent value, that value is mapped to the middle of them.
    """

    quantiles: Tensor

    def __init__(self, quantiles: Sequence[Sequence[float]], missing: Sequence[int], normal: bool) -> None:
        super().__init__(missing)
        self.register_buffer("quantiles", torch.tensor(quantiles).nan_to_num())
        self.normal = normal

    def map(self, x_BN: Tensor) -> Tensor:
        """Return numbers uniform over [−1, 1], or normal."""
        uniform_BN = 2 * self.cdf(x_BN) - 1
        if not self.normal:
            return uniform_BN
        return uniform_BN.clamp(2 * TAIL - 1, 1 - 2 * TAIL).erfinv() * 2**0.5

    def cdf(self, x_BN: Tensor) -> Tensor:
        """Return the fraction of the training data below each number, piecewise linear between quantiles."""
        q_NQ, x_NB = self.quantiles, x_BN.T.contiguous()
        last = q_NQ.shape[1] - 1
        first_NB = torch.searchsorted(q_NQ, x_NB)
        after_NB = torch.searchsorted(q_NQ, x_NB, right=True)
        low_NB = (first_NB - 1).clamp(0, last)
        high_NB = first_NB.clamp(0, last)
        below_NB, above_NB = q_NQ.gather(1, low_NB), q_NQ.gather(1, high_NB)
        gap_NB = torch.where(above_NB > below_NB, above_NB - below_NB, 1.0)
        between_NB = low_NB + ((x_NB - below_NB) / gap_NB).clamp(0, 1) * (high_NB - low_NB)
        position_NB = torch.where(after_NB > first_NB, (first_NB + after_NB - 1) / 2, between_NB)
        return (position_NB / last).T


class OneHot(nn.Module):
    """One-hot encoding: one feature for each category of each column."""

    offsets: Tensor

    def __init__(self, vocab: Sequence[int], untrained: Sequence[bool]) -> None:
        super().__init__()
        starts = [sum(vocab[:i]) for i in range(len(vocab))]
        self.register_buffer("offsets", torch.tensor(starts, dtype=torch.int64))
        self.vocab, self.untrained = tuple(vocab), tuple(untrained)
        self.features = sum(vocab)

    def forward(self, codes_BM: Tensor) -> Tensor:
        """Return 0s and 1s; for a code 0 that training never saw, an equal share of every category."""
        empty = torch.zeros(codes_BM.shape[0], self.features, device=codes_BM.device)
        encoded_BF = empty.scatter(1, codes_BM + self.offsets, 1.0)
        if self.training or not any(self.untrained):
            return encoded_BF
        columns = zip(encoded_BF.split(self.vocab, 1), codes_BM.unbind(1), self.untrained, strict=True)
        return torch.cat([_mean_of_unknown(x_BV, codes_B) if u else x_BV for x_BV, codes_B, u in columns], dim=1)


def _mean_of_unknown(encoded_BV: Tensor, codes_B: Tensor) -> Tensor:
    """Return the encoding of a column in which code 0 is the mean of all others."""
    mean_V = encoded_BV.new_full((encoded_BV.shape[1],), 1 / max(1, encoded_BV.shape[1] - 1))
    mean_V[0] = 0.0
    return encoded_BV.where(codes_B[:, None] > 0, mean_V)


class Embeddings(nn.Module):
    """Entity embeddings: a learned vector for each category of each column."""

    def __init__(self, vocab: Sequence[int], widths: Sequence[int], untrained: Sequence[bool]) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, w) for n, w in zip(vocab, widths, strict=True))
        self.untrained = tuple(untrained)

    def forward(self, codes_BM: Tensor) -> Tensor:
        """Return the vectors of all columns, one after the other."""
        columns = zip(self.tables, codes_BM.unbind(1), self.untrained, strict=True)
        return torch.cat([self._vectors(table, codes_B, u) for table, codes_B, u in columns], dim=1)

    def _vectors(self, table: nn.Module, codes_B: Tensor, untrained: bool) -> Tensor:
        """Return the vectors of a column; for a code 0 that training never saw, the mean of all others."""
        vectors_BW: Tensor = table(codes_B)
        if self.training or not untrained:
            return vectors_BW
        weight_VW: Tensor = table.weight  # type: ignore[assignment]
        return vectors_BW.where(codes_B[:, None] > 0, weight_VW[1:].mean(0))


class TableFeatures(nn.Module):
    """Features of a record's numeric and categorical fields, or of the one of them that there is."""

    def __init__(self, numeric: nn.Module | None, categorical: nn.Module | None) -> None:
        super().__init__()
        self.numeric = numeric
        self.categorical = categorical

    def forward(self, x: Tensor | Mapping[str, Tensor]) -> Tensor:
        """Return all features, numeric ones first."""
        parts = []
        if self.numeric is not None:
            parts.append(self.numeric(x if isinstance(x, Tensor) else x["numeric"]))
        if self.categorical is not None:
            parts.append(self.categorical(x if isinstance(x, Tensor) else x["categorical"]))
        return torch.cat(parts, dim=1)
