"""Metrics of generated samples against the data, worked by hand."""

import numpy as np
import pytest
import torch
from targets import target_facts

from dlx.component import types
from dlx.metrics import Metric

METRICS = types("metrics")
MADE = "samples"

LINE = torch.tensor([[0.0], [1.0], [2.0], [10.0]])


def compare(spelling: object, made: torch.Tensor, real: torch.Tensor, classes: torch.Tensor | None = None) -> float:
    metric = Metric.model_validate(spelling).build(target_facts(MADE, real.shape[1]))
    half = len(real) // 2
    for part in (slice(0, half), slice(half, None)):
        metric.update(made[part], real[part], None if classes is None else classes[part])
    return metric.compute().item()


def test_metrics_of_samples_refuse_targets() -> None:
    for name in METRICS:
        metric = Metric.model_validate(name)
        assert (MADE in metric.target_kinds) == (metric.target_kinds == (MADE,))


def test_mmd_is_the_formula_summed_by_hand() -> None:
    made, real = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]])
    k = lambda distance: np.exp(-(distance**2) / 2)  # noqa: E731
    expected = k(1) + k(2) - 2 * (k(0) + k(2) + k(1) + k(1)) / 4
    assert compare({"mmd": {"bandwidth": 1.0}}, made, real) == pytest.approx(expected, abs=1e-6)


def test_mmd_of_two_draws_of_one_distribution_is_zero_but_for_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    made, real, other = (torch.randn(1000, 2, generator=generator) for _ in range(3))
    assert abs(compare("mmd", made, real)) < 0.005
    assert compare("mmd", other + 1, real) > 0.1


def test_precision_and_recall_count_who_lies_in_whose_balls() -> None:
    # balls of the data, k = 1: 0 ± 1, 1 ± 1, 2 ± 1, 10 ± 8; only -1.5 lies in none
    made = torch.tensor([[0.5], [1.5], [9.0], [-1.5]])
    assert compare({"generative_precision": {"n_neighbors": 1}}, made, LINE) == 3 / 4
    # balls of what was made: 0.5 ± 1, 1.5 ± 1, 9 ± 7.5, -1.5 ± 2: every sample of the data lies in one
    assert compare({"generative_recall": {"n_neighbors": 1}}, made, LINE) == 1.0
    assert compare({"generative_recall": {"n_neighbors": 1}}, torch.tensor([[0.0], [0.5], [0.2], [0.1]]), LINE) == 1 / 4


def test_modes_are_the_classes_and_a_sample_is_on_one_within_three_deviations() -> None:
    real = torch.tensor([[-1.0, 0], [1, 0], [0, -1], [0, 1], [9, 0], [11, 0], [10, -1], [10, 1]])
    classes = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])  # deviation of one coordinate: √½
    on_first = torch.tensor([[0.0, 2.1], [0.0, 2.2], [0.0, 0.0], [5.0, 0.0]]).repeat(2, 1)
    assert compare("modes_covered", on_first, real, classes) == 1
    assert compare("on_modes", on_first, real, classes) == 1 / 2
    assert compare("modes_covered", real, real, classes) == 2


def test_diversity_is_the_ratio_of_mean_distances() -> None:
    assert compare("diversity", LINE / 2, LINE) == pytest.approx(0.5)
    assert compare("diversity", torch.ones(4, 1), LINE) == 0
