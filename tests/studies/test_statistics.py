"""Intervals, tests and corrections, against scipy and numbers worked by hand."""

import numpy as np
import pytest
from scipy import stats

from dlx.studies.statistics import confidence_interval, difference, holm

RANDOM = np.random.default_rng(0)
BASE = list(RANDOM.normal(0.90, 0.01, 8))
VARIANT = [b + d for b, d in zip(BASE, RANDOM.normal(0.004, 0.006, 8), strict=True)]


def test_the_interval_of_a_mean_is_students():
    found = confidence_interval(BASE, 0.95)
    expected = stats.t.interval(0.95, 7, loc=np.mean(BASE), scale=stats.sem(BASE))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(BASE), *expected))


def test_a_difference_is_that_of_a_paired_t_test():
    found, expected = difference(BASE, VARIANT, 0.9, maximize=True), stats.ttest_rel(VARIANT, BASE)
    interval = expected.confidence_interval(0.9)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert found.better == pytest.approx(stats.ttest_rel(VARIANT, BASE, alternative="less").pvalue)
    assert difference(BASE, VARIANT, 0.9, maximize=False).better == pytest.approx(1 - found.better)


def test_many_seeds_are_resampled():
    base = list(RANDOM.normal(0.9, 0.01, 40))
    variant = [b + d for b, d in zip(base, RANDOM.exponential(0.004, 40), strict=True)]
    found, apart = difference(base, variant, 0.95, maximize=True), np.subtract(variant, base)
    expected = stats.bootstrap((apart,), np.mean, n_resamples=9999, rng=np.random.default_rng(0)).confidence_interval
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))
    assert found.p == pytest.approx(2 / 10_000)  # no flip of signs gives as much


def test_folds_are_corrected_for_the_samples_that_they_share():
    """Nadeau & Bengio: the variance of the mean is (1/k + 1/(k−1)) s² where train is k−1 times as large as test."""
    apart = np.subtract(VARIANT[:5], BASE[:5])
    half = stats.t.ppf(0.975, 4) * apart.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    found = difference(BASE[:5], VARIANT[:5], 0.95, maximize=True, folds=True)
    assert found.interval.high - found.interval.mean == pytest.approx(half)


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_the_number_of_seeds_has_the_power_that_is_said():
    """In simulations of the same effect, so many seeds tell the two apart in four of five studies, and one fewer
    does not.
    """
    found = difference([0.0] * 6, [0.2, 1.4, -0.4, 1.1, 0.6, 0.1], 0.95, maximize=True)
    apart = np.array([0.2, 1.4, -0.4, 1.1, 0.6, 0.1])
    studies = np.random.default_rng(1).normal(apart.mean(), apart.std(ddof=1), (20_000, found.needed))
    power = (stats.ttest_1samp(studies, 0, axis=1).pvalue < 0.05).mean()
    assert 0.79 < power < 0.85
    fewer = (stats.ttest_1samp(studies[:, :-1], 0, axis=1).pvalue < 0.05).mean()
    assert fewer < 0.8


def test_equal_trainings_are_not_told_apart():
    found = difference([0.5] * 4, [0.5] * 4, 0.95, maximize=True)
    assert (found.p, found.better, found.needed) == (1.0, 0.5, None)
    assert difference([0.5] * 4, [0.6] * 4, 0.95, maximize=True).p == 0.0
