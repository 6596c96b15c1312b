"""What repeated trainings say: intervals of means, paired differences, and whether variants can be told apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BOOTSTRAP_FROM = 20
"""Pairs from which on intervals are those of a bootstrap; fewer are too few for it, and Student's t is used."""
POWER = 0.8
"""Probability with which the number of seeds that `needed` gives would tell two variants apart."""
MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Interval:
    """A mean and the interval in which it lies with a level of confidence."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """The paired difference of a variant to the base, in units of the metric.

    p         of the hypothesis that there is none, two-sided
    better    probability that the variant's mean is the better one
    needed    seeds that would tell the two apart, if the difference and its spread are what they seem; None if no
              number would
    """

    interval: Interval
    p: float
    better: float
    needed: int | None


def confidence_interval(values: Sequence[float], confidence: float) -> Interval:
    """Return the mean of independent trainings and its interval by Student's t, or by a bootstrap of many."""
    if len(values) >= BOOTSTRAP_FROM:
        return _bootstrap_interval(values, confidence)
    return _t_interval(values, confidence, 1 / len(values))


def difference(
    base: Sequence[float], variant: Sequence[float], confidence: float, maximize: bool, folds: bool = False
) -> Difference:
    """Compare trainings in pairs: the same seed, or the same fold, of both.

    Folds share most of their training samples, which makes differences look more certain than they are: their variance
    is corrected as by Nadeau & Bengio 2003, doi:10.1023/A:1024068626366.
    """
    from scipy import stats

    found = [v - b for b, v in zip(base, variant, strict=True)]
    n, mean, spread = len(found), math.fsum(found) / len(found), _std(found)
    variance_share = 1 / n + 1 / (n - 1) if folds else 1 / n
    resampled = n >= BOOTSTRAP_FROM and not folds
    interval = _bootstrap_interval(found, confidence) if resampled else _t_interval(found, confidence, variance_share)
    error = spread * math.sqrt(variance_share)
    if error == 0:
        p, better = (1.0, 0.5) if mean == 0 else (0.0, float((mean > 0) == maximize))
    else:
        p = _permutation_p_value(found) if resampled else float(2 * stats.t.sf(abs(mean) / error, n - 1))
        better = float(stats.t.cdf((mean if maximize else -mean) / error, n - 1))
    return Difference(interval, p, better, _required_pairs(mean, spread, confidence))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct for several comparisons: return p-values by Holm's step-down procedure, doi:10.2307/4615733."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def _t_interval(values: Sequence[float], confidence: float, variance_share: float) -> Interval:
    from scipy import stats

    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Interval(mean, -math.inf, math.inf)
    half = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1)) * _std(values) * math.sqrt(variance_share)
    return Interval(mean, mean - half, mean + half)


def _bootstrap_interval(values: Sequence[float], confidence: float) -> Interval:
    import numpy as np
    from scipy import stats

    mean = math.fsum(values) / len(values)
    if len(set(values)) == 1:
        return Interval(mean, mean, mean)
    found: Any = stats.bootstrap(
        (np.asarray(values),), np.mean, confidence_level=confidence, n_resamples=9999, rng=np.random.default_rng(0)
    )
    return Interval(mean, float(found.confidence_interval.low), float(found.confidence_interval.high))


def _permutation_p_value(differences: Sequence[float]) -> float:
    """Return the p-value of a permutation test that changes the signs of differences."""
    import numpy as np
    from scipy import stats

    def statistic(x: Any, axis: int) -> Any:
        return np.mean(x, axis=axis)

    found: Any = stats.permutation_test(
        (np.asarray(differences),),
        statistic,
        permutation_type="samples",
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def _std(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _required_pairs(mean: float, spread: float, confidence: float) -> int | None:
    """Return the pairs with which a t-test would find such a difference with the probability POWER."""
    from scipy import stats

    if mean == 0:
        return None
    effect = abs(mean) / spread if spread else math.inf
    for n in range(2, MOST_SEEDS):
        critical = float(stats.t.ppf(0.5 + confidence / 2, n - 1))
        if effect * math.sqrt(n) > 50 or float(stats.nct.sf(critical, n - 1, effect * math.sqrt(n))) >= POWER:
            return n
    return None
