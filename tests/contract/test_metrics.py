"""Every metric: its example validates, it computes what scikit-learn computes, also over several batches."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import yaml

from dlx.component import leaf_class, types
from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.tensors import Stats, TensorSpec
from dlx.tokenizers import Tokenizer, store

METRICS = types("metrics")
KINDS = ("classes", "labels", "regression", "tokens")
MADE = "samples"
SAMPLES = 200


def facts_of(kind: str, k: int) -> DataFacts:
    """Facts of a target of this kind with k classes, labels or outputs."""
    numbers = TensorSpec((k,), "F", stats=Stats(naive=(1.0,) * k))
    target = TensorSpec((), "", "int64") if kind == "classes" else numbers
    if kind == "tokens":
        word = Tokenizer.model_validate("word")
        stored = store(word, word.train([" ".join("abcdefgh"[:k])], Path()))
        words = TensorSpec((5,), "T", "int64", vocab=(4 + k,))
        return DataFacts({"x": words, "target": words}, ("x",), "target", tokenizers={"target": stored})
    return DataFacts(
        fields={"x": TensorSpec((3,), "F"), "target": target},
        inputs=("x",),
        target="target",
        classes=() if kind in ("regression", MADE) else tuple("abcdefgh"[:k]),
        multilabel=kind == "labels",
    )


def data(kind: str, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return predictions that are better than chance but far from right, and targets."""
    generator = torch.Generator().manual_seed(k)
    noise = torch.randn(SAMPLES, k, generator=generator)
    if kind == MADE:  # all alike, and far from the data
        target = torch.randn(SAMPLES, k, generator=generator)
        return 0.1 * noise + 10, target
    if kind == "tokens":
        target = torch.randint(4, 4 + k, (SAMPLES, 5), generator=generator)
        wrong = torch.rand(SAMPLES, 5, generator=generator) < 0.2
        return torch.where(wrong, torch.randint(4, 4 + k, (SAMPLES, 5), generator=generator), target), target
    if kind == "regression":
        target = torch.randn(SAMPLES, k, generator=generator) + 3
        return target + noise, target
    if kind == "labels":
        target = torch.randint(0, 2, (SAMPLES, k), generator=generator)
        return (noise + target).sigmoid(), target
    target = torch.randint(0, k, (SAMPLES,), generator=generator)
    return (noise + torch.nn.functional.one_hot(target, k)).softmax(1), target


def measure(spelling: object, kind: str, k: int) -> torch.Tensor:
    """Compute a metric over three uneven batches."""
    metric = Metric.model_validate(spelling).build(facts_of(kind, k))
    prediction, target = data(kind, k)
    for part in (slice(0, 90), slice(90, 91), slice(91, None)):
        metric.update(prediction[part], target[part])
    return metric.compute()


@pytest.mark.parametrize("name", METRICS)
def test_example_validates_and_round_trips(name: str) -> None:
    leaf = leaf_class("metrics", name)
    metric = Metric.model_validate(yaml.safe_load(textwrap.dedent(inspect.getdoc(leaf).split("Example:")[1])))
    assert type(metric) is leaf and metric.type == name
    assert Metric.model_validate(metric.model_dump(serialize_as_any=True)) == metric


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_judges_what_it_promises_and_refuses_the_rest(name: str, kind: str) -> None:
    metric = Metric.model_validate(name)
    if kind not in metric.target_kinds:
        with pytest.raises(ShapeError, match=kind):
            metric.validate_target(facts_of(kind, 6))
        return
    metric.validate_target(facts_of(kind, 6))
    value = measure(name, kind, 6)
    assert value.isfinite().all()
    assert (value.ndim == 0) == metric.scalar


@pytest.mark.parametrize("name", METRICS)
def test_higher_is_better_is_the_direction_of_a_perfect_prediction(name: str) -> None:
    spec = Metric.model_validate(name)
    if not spec.scalar:
        return
    (kind, *_) = spec.target_kinds
    metric, (_, target) = spec.build(facts_of(kind, 6)), data(kind, 6)
    perfect = torch.nn.functional.one_hot(target, 6).float() if kind == "classes" else target.float()
    metric.update(perfect, target)
    best, usual = metric.compute(), measure(name, kind, 6)
    assert best > usual if spec.higher_is_better else best < usual


def test_reset_forgets() -> None:
    for name in METRICS:
        spec = Metric.model_validate(name)
        metric, (prediction, target) = spec.build(facts_of(spec.target_kinds[0], 6)), data(spec.target_kinds[0], 6)
        metric.update(prediction.flip(0), target)
        metric.reset()
        metric.update(prediction, target)
        assert torch.allclose(metric.compute(), measure(name, spec.target_kinds[0], 6)), name


# ---- against scikit-learn -----------------------------------------------------------------------------------------

AVERAGED = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize(("name", "reference"), AVERAGED.items())
def test_averaged_metrics_are_scikit_learns(name: str, reference, average: str, k: int) -> None:
    spelling = {name: {"average": average}}
    prediction, target = data("classes", k)
    assert measure(spelling, "classes", k).item() == pytest.approx(
        reference(target, prediction.argmax(1), average=average)
    )
    prediction, target = data("labels", k)
    assert measure(spelling, "labels", k).item() == pytest.approx(reference(target, prediction > 0.5, average=average))


@pytest.mark.parametrize(("name", "reference"), AVERAGED.items())
def test_binary_average_looks_at_the_last_of_two_classes(name: str, reference) -> None:
    prediction, target = data("classes", 2)
    value = measure({name: {"average": "binary"}}, "classes", 2)
    assert value.item() == pytest.approx(reference(target, prediction.argmax(1), pos_label=1))
    for facts in (facts_of("classes", 3), facts_of("labels", 2)):
        with pytest.raises(ShapeError, match="binary"):
            Metric.model_validate({name: {"average": "binary"}}).validate_target(facts)


def test_accuracy_is_scikit_learns() -> None:
    prediction, target = data("classes", 5)
    assert measure("accuracy", "classes", 5).item() == pytest.approx(sk.accuracy_score(target, prediction.argmax(1)))
    prediction, target = data("labels", 3)
    expected = np.mean((prediction > 0.5).numpy() == target.numpy())
    assert measure("accuracy", "labels", 3).item() == pytest.approx(expected)


def test_top_k_is_scikit_learns() -> None:
    prediction, target = data("classes", 6)
    expected = sk.top_k_accuracy_score(target, prediction, k=3)
    assert measure({"top_k_accuracy": 3}, "classes", 6).item() == pytest.approx(expected)
    with pytest.raises(ShapeError, match="only 2 classes"):
        Metric.model_validate({"top_k_accuracy": 3}).validate_target(facts_of("classes", 2))


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_auroc_is_scikit_learns(average: str) -> None:
    prediction, target = data("classes", 4)
    rows = prediction.double() / prediction.double().sum(1, keepdim=True)
    expected = sk.roc_auc_score(target, rows, multi_class="ovr", average=average)
    assert measure({"auroc": {"average": average}}, "classes", 4).item() == pytest.approx(expected, abs=1e-5)
    prediction, target = data("labels", 3)
    expected = sk.roc_auc_score(target, prediction, average=average)
    assert measure({"auroc": {"average": average}}, "labels", 3).item() == pytest.approx(expected, abs=1e-5)


def test_auroc_of_two_classes_is_that_of_either() -> None:
    prediction, target = data("classes", 2)
    expected = sk.roc_auc_score(target, prediction[:, 1])
    assert measure("auroc", "classes", 2).item() == pytest.approx(expected, abs=1e-5)
    assert measure({"auroc": {"thresholds": 500}}, "classes", 2).item() == pytest.approx(expected, abs=0.01)


def test_average_precision_is_scikit_learns() -> None:
    prediction, target = data("classes", 2)
    expected = sk.average_precision_score(target, prediction[:, 1])
    assert measure({"average_precision": {"average": "binary"}}, "classes", 2).item() == pytest.approx(
        expected, abs=1e-5
    )
    prediction, target = data("classes", 4)
    expected = sk.average_precision_score(np.eye(4)[target], prediction, average="macro")
    assert measure("average_precision", "classes", 4).item() == pytest.approx(expected, abs=1e-5)
    prediction, target = data("labels", 3)
    expected = sk.average_precision_score(target, prediction, average="weighted")
    value = measure({"average_precision": {"average": "weighted"}}, "labels", 3)
    assert value.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("normalize", ["true", "pred", "all", None])
def test_confusion_matrix_is_scikit_learns(normalize: str | None) -> None:
    prediction, target = data("classes", 4)
    expected = sk.confusion_matrix(target, prediction.argmax(1), normalize=normalize)
    value = measure({"confusion_matrix": {"normalize": normalize}}, "classes", 4)
    assert np.allclose(value, expected, atol=1e-6)
    prediction, target = data("labels", 3)
    assert np.array_equal(
        measure("confusion_matrix", "labels", 3), sk.multilabel_confusion_matrix(target, prediction > 0.5)
    )


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_calibration_error_is_the_formula_of_guo(norm: str) -> None:
    prediction, target = (tensor.numpy() for tensor in data("classes", 4))
    confidence, right = prediction.max(1), prediction.argmax(1) == target
    bins = np.minimum((confidence * 10).astype(int), 9)
    parts = [(bins == b) for b in range(10) if (bins == b).any()]
    gaps = np.array([abs(confidence[p].mean() - right[p].mean()) for p in parts])
    shares = np.array([p.mean() for p in parts])
    expected = {"l1": (shares * gaps).sum(), "l2": np.sqrt((shares * gaps**2).sum()), "max": gaps.max()}[norm]
    value = measure({"calibration_error": {"n_bins": 10, "norm": norm}}, "classes", 4)
    assert value.item() == pytest.approx(expected, abs=1e-5)


REGRESSION = {
    "mse": sk.mean_squared_error,
    "rmse": lambda t, p: np.sqrt(sk.mean_squared_error(t, p)),
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
    "mape": sk.mean_absolute_percentage_error,
}


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(("name", "reference"), REGRESSION.items())
def test_regression_metrics_are_scikit_learns(name: str, reference, k: int) -> None:
    prediction, target = data("regression", k)
    assert measure(name, "regression", k).item() == pytest.approx(reference(target, prediction), rel=1e-4)
    if k == 1:
        metric = Metric.model_validate(name).build(facts_of("regression", 1))
        metric.update(prediction[:, 0], target[:, 0])
        assert metric.compute().item() == pytest.approx(reference(target, prediction), rel=1e-4)


# ---- samples that were made, against the data ------------------------------------------------------------------------

LINE = torch.tensor([[0.0], [1.0], [2.0], [10.0]])


def compare(spelling: object, made: torch.Tensor, real: torch.Tensor, classes: torch.Tensor | None = None) -> float:
    metric = Metric.model_validate(spelling).build(facts_of(MADE, real.shape[1]))
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
