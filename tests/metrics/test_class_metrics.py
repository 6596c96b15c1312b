"""Metrics of classes and labels are those of scikit-learn, and undefined where they are not defined."""

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from kit import context
from pydantic import ValidationError
from targets import compute_metric, random_metric, random_predictions, target_facts

from dlx.errors import ShapeError
from dlx.metrics import Metric

FROM_COUNTS = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize(("name", "reference"), FROM_COUNTS.items())
def test_averages_are_scikit_learns(name, reference, average, k):
    spelling = {name: {"average": average}}
    prediction, target = random_predictions("classes", k)
    expected = reference(target, prediction.argmax(1), average=average)
    assert random_metric(spelling, "classes", k).item() == pytest.approx(expected)
    prediction, target = random_predictions("labels", k)
    expected = reference(target, prediction > 0.5, average=average)
    assert random_metric(spelling, "labels", k).item() == pytest.approx(expected)


@pytest.mark.parametrize(("name", "reference"), FROM_COUNTS.items())
def test_binary_is_of_the_last_of_two_classes_or_of_the_positive_one(name, reference):
    prediction, target = random_predictions("classes", 2)
    for positive in (0, 1):
        expected = reference(target, prediction.argmax(1), pos_label=positive)
        value = random_metric({name: {"positive": "ab"[positive]}}, "classes", 2)
        assert value.item() == pytest.approx(expected)
    assert random_metric({name: {"average": "binary"}}, "classes", 2) == value
    for facts in (target_facts("classes", 3), target_facts("labels", 2)):
        with pytest.raises(ShapeError, match="name one by `positive`"):
            Metric.model_validate({name: {"average": "binary"}}).validate_target(facts)


@pytest.mark.parametrize(("name", "reference"), FROM_COUNTS.items())
def test_positive_is_one_of_many_classes_or_labels(name, reference):
    prediction, target = random_predictions("classes", 4)
    expected = reference(target == 2, prediction.argmax(1) == 2)
    assert random_metric({name: {"positive": "c"}}, "classes", 4).item() == pytest.approx(expected)
    prediction, target = random_predictions("labels", 3)
    expected = reference(target[:, 1], prediction[:, 1] > 0.5)
    assert random_metric({name: {"positive": "b"}}, "labels", 3).item() == pytest.approx(expected)


def test_a_positive_class_that_is_not_there_is_refused_with_the_nearest():
    facts = target_facts("classes", 2, names=("fraud", "legit"))
    with pytest.raises(ShapeError, match="there is no class 'frauds'; there is fraud"):
        Metric.model_validate({"recall": {"positive": "frauds"}}).validate_target(facts)
    with pytest.raises(ValidationError, match="leave `average` out"):
        Metric.model_validate({"f1": {"positive": "fraud", "average": "macro"}})


def test_the_class_that_a_binary_metric_takes_is_said():
    facts = target_facts("classes", 2, names=("fraud", "legit"))
    (warning,) = Metric.model_validate({"f1": {"average": "binary"}}).check(context(facts))
    assert "f1 is that of legit" in warning.message and "positive: fraud" in warning.message
    assert warning.severity == "warning"
    for spelling in ("f1", {"f1": {"positive": "fraud"}}):
        assert not list(Metric.model_validate(spelling).check(context(facts)))


def test_accuracy_is_scikit_learns():
    prediction, target = random_predictions("classes", 5)
    expected = sk.accuracy_score(target, prediction.argmax(1))
    assert random_metric("accuracy", "classes", 5).item() == pytest.approx(expected)
    prediction, target = random_predictions("labels", 3)
    expected = np.mean((prediction > 0.5).numpy() == target.numpy())
    assert random_metric("accuracy", "labels", 3).item() == pytest.approx(expected)


def test_top_k_is_scikit_learns():
    prediction, target = random_predictions("classes", 6)
    expected = sk.top_k_accuracy_score(target, prediction, k=3)
    assert random_metric({"top_k_accuracy": 3}, "classes", 6).item() == pytest.approx(expected)
    with pytest.raises(ShapeError, match="only 2 classes"):
        Metric.model_validate({"top_k_accuracy": 3}).validate_target(target_facts("classes", 2))


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_auroc_is_scikit_learns(average):
    spelling = {"auroc": {"average": average}}
    prediction, target = random_predictions("classes", 4)
    rows = prediction.double() / prediction.double().sum(1, keepdim=True)
    expected = sk.roc_auc_score(target, rows, multi_class="ovr", average=average)
    assert random_metric(spelling, "classes", 4).item() == pytest.approx(expected, abs=1e-5)
    prediction, target = random_predictions("labels", 3)
    expected = sk.roc_auc_score(target, prediction, average=average)
    assert random_metric(spelling, "labels", 3).item() == pytest.approx(expected, abs=1e-5)


def test_auroc_of_two_classes_is_that_of_either():
    prediction, target = random_predictions("classes", 2)
    expected = sk.roc_auc_score(target, prediction[:, 1])
    for spelling in ("auroc", {"auroc": {"positive": "a"}}, {"auroc": {"average": "binary"}}):
        assert random_metric(spelling, "classes", 2).item() == pytest.approx(expected, abs=1e-5)
    assert random_metric({"auroc": {"thresholds": 500}}, "classes", 2).item() == pytest.approx(expected, abs=0.01)


def test_average_precision_is_scikit_learns():
    prediction, target = random_predictions("classes", 2)
    for positive in (0, 1):
        expected = sk.average_precision_score(target == positive, prediction[:, positive])
        value = random_metric({"average_precision": {"positive": "ab"[positive]}}, "classes", 2)
        assert value.item() == pytest.approx(expected, abs=1e-5)
    prediction, target = random_predictions("classes", 4)
    expected = sk.average_precision_score(np.eye(4)[target], prediction, average="macro")
    assert random_metric("average_precision", "classes", 4).item() == pytest.approx(expected, abs=1e-5)
    prediction, target = random_predictions("labels", 3)
    expected = sk.average_precision_score(target, prediction, average="weighted")
    value = random_metric({"average_precision": {"average": "weighted"}}, "labels", 3)
    assert value.item() == pytest.approx(expected, abs=1e-5)


# ---- what is not defined ------------------------------------------------------------------------------------------

PER_CLASS = [*FROM_COUNTS, "auroc", "average_precision"]


def perfect(classes: int, of: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return perfect predictions of the first of several classes."""
    target = torch.arange(30) % of
    return torch.nn.functional.one_hot(target, classes).float(), target


@pytest.mark.parametrize("average", ["macro", "weighted"])
@pytest.mark.parametrize("name", PER_CLASS)
def test_an_absent_class_counts_in_no_mean(name, average):
    spelling = {name: {"average": average}}
    assert compute_metric(spelling, target_facts("classes", 4), *perfect(4, of=3)) == 1
    prediction, target = perfect(4, of=3)
    labels = torch.nn.functional.one_hot(target, 4)
    assert compute_metric(spelling, target_facts("labels", 4), prediction, labels) == 1
    wrong = prediction.roll(1, 0)  # each of the three present classes is predicted as another one
    assert compute_metric(spelling, target_facts("classes", 4), wrong, target) < 0.5


@pytest.mark.parametrize("thresholds", [None, 20])
@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_the_area_of_an_absent_positive_class_is_undefined(name, thresholds):
    facts = target_facts("classes", 2)
    prediction, target = random_predictions("classes", 2)[0], torch.zeros(200, dtype=torch.long)
    assert compute_metric({name: {"positive": "b", "thresholds": thresholds}}, facts, prediction, target).isnan()
    single = compute_metric({name: {"thresholds": thresholds}}, facts, prediction, target)
    assert single.isnan() if name == "auroc" else single == 1  # precision of the only class is 1 at every recall
    nobody = torch.zeros(200, 2, dtype=torch.long)
    assert compute_metric({name: {"thresholds": thresholds}}, target_facts("labels", 2), prediction, nobody).isnan()


def test_recall_needs_a_sample_and_precision_and_f1_a_sample_or_a_prediction():
    facts, target = target_facts("labels", 2), torch.zeros(4, 2, dtype=torch.long)
    answers = torch.tensor([[0.9, 0.1], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1]])
    found = {name: compute_metric(name, facts, answers, target).item() for name in FROM_COUNTS}
    assert np.isnan(found["recall"]) and found["precision"] == found["f1"] == 0
    found = {name: compute_metric(name, facts, answers.clamp(max=0.1), target) for name in FROM_COUNTS}
    assert all(value.isnan() for value in found.values())


def test_macro_recall_is_balanced_accuracy():
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(100, 5, generator=generator)
    target = torch.randint(0, 4, (100,), generator=generator)  # the fifth is predicted, but never true
    expected = np.mean([(prediction.argmax(1)[target == k] == k).float().mean() for k in range(4)])
    assert compute_metric("recall", target_facts("classes", 5), prediction, target).item() == pytest.approx(expected)


# ---- calibration and confusion ------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalize", ["true", "pred", "all", None])
def test_confusion_matrix_is_scikit_learns(normalize):
    prediction, target = random_predictions("classes", 4)
    expected = sk.confusion_matrix(target, prediction.argmax(1), normalize=normalize)
    value = random_metric({"confusion_matrix": {"normalize": normalize}}, "classes", 4)
    assert np.allclose(value, expected, atol=1e-6)
    prediction, target = random_predictions("labels", 3)
    expected = sk.multilabel_confusion_matrix(target, prediction > 0.5)
    assert np.array_equal(random_metric("confusion_matrix", "labels", 3), expected)


def test_mean_iou_is_the_mean_jaccard_score_of_present_classes():
    prediction, target = random_predictions("classes", 4)
    expected = sk.jaccard_score(target, prediction.argmax(1), average="macro")
    assert random_metric("mean_iou", "classes", 4).item() == pytest.approx(expected)
    assert compute_metric("mean_iou", target_facts("classes", 4), *perfect(4, of=3)) == 1


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_calibration_error_is_the_formula_of_guo(norm):
    prediction, target = (tensor.numpy() for tensor in random_predictions("classes", 4))
    confidence, right = prediction.max(1), prediction.argmax(1) == target
    bins = np.minimum((confidence * 10).astype(int), 9)
    parts = [(bins == b) for b in range(10) if (bins == b).any()]
    gaps = np.array([abs(confidence[p].mean() - right[p].mean()) for p in parts])
    shares = np.array([p.mean() for p in parts])
    expected = {"l1": (shares * gaps).sum(), "l2": np.sqrt((shares * gaps**2).sum()), "max": gaps.max()}[norm]
    value = random_metric({"calibration_error": {"n_bins": 10, "norm": norm}}, "classes", 4)
    assert value.item() == pytest.approx(expected, abs=1e-5)
