"""Losses of classes and labels are those of torch, scikit-learn and kornia, weights and label smoothing included."""

import itertools
import math

import kornia
import numpy as np
import pytest
import sklearn.metrics
import torch
from kit import context
from pydantic import ValidationError
from sklearn.utils.class_weight import compute_class_weight
from targets import target_facts
from torch import nn
from torch.nn import functional as F

from dlx.errors import ShapeError
from dlx.facts import IGNORED, DataFacts
from dlx.losses import Loss, decide

BATCH = 64


def loss_of(spelling, kind, k):
    return Loss.model_validate(spelling).build(target_facts(kind, k))


@pytest.fixture
def logits_and_classes():
    torch.manual_seed(1)
    return torch.randn(BATCH, 4) * 2, torch.randint(0, 4, (BATCH,))


@pytest.fixture
def binary():
    torch.manual_seed(2)
    return torch.randn(BATCH, 2) * 2, torch.randint(0, 2, (BATCH,))


def test_cross_entropy_is_sklearns_log_loss(logits_and_classes):
    output, target = logits_and_classes
    expected = sklearn.metrics.log_loss(target, output.double().softmax(1))
    assert loss_of("cross_entropy", "classes", 4)(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_is_cross_entropy_with_a_smoothed_target(logits_and_classes):
    output, target = logits_and_classes
    smoothed = F.one_hot(target, 4) * 0.8 + 0.2 / 4
    expected = -(smoothed * output.log_softmax(1)).sum(1).mean()
    assert torch.allclose(loss_of({"cross_entropy": 0.2}, "classes", 4)(output, target), expected)


def test_balanced_weights_are_scikit_learns(logits_and_classes):
    output, target = logits_and_classes
    labels = np.repeat([0, 1, 2, 3], [10, 20, 30, 40])
    weights = compute_class_weight("balanced", classes=np.arange(4), y=labels)
    expected = sklearn.metrics.log_loss(target, output.double().softmax(1), sample_weight=weights[target.numpy()])
    loss = loss_of({"cross_entropy": {"class_weight": "balanced"}}, "classes", 4)
    assert loss(output, target).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "fields", [{}, {"label_smoothing": 0.1}, {"class_weight": "balanced"}, {"class_weight": [1.0, 3.0]}]
)
def test_binary_cross_entropy_of_two_classes_is_cross_entropy(binary, fields):
    output, target = binary
    expected = loss_of({"cross_entropy": fields}, "classes", 2)(output, target)
    assert torch.allclose(loss_of({"binary_cross_entropy": fields}, "classes", 2)(output, target), expected, atol=1e-6)


def test_binary_cross_entropy_of_labels_is_torchs_with_balanced_positives():
    output, target = torch.randn(BATCH, 3), torch.randint(0, 2, (BATCH, 3)).float()
    plain = F.binary_cross_entropy(output.sigmoid(), target)
    assert torch.allclose(loss_of("binary_cross_entropy", "labels", 3)(output, target), plain, atol=1e-6)
    weight = torch.where(target == 1, torch.tensor([90 / 10, 80 / 20, 70 / 30]), torch.tensor(1.0))
    weighted = F.binary_cross_entropy(output.sigmoid(), target, weight=weight)
    balanced = loss_of({"binary_cross_entropy": {"class_weight": "balanced"}}, "labels", 3)
    assert torch.allclose(balanced(output, target), weighted, atol=1e-6)


@pytest.mark.parametrize("fields", [{}, {"class_weight": "balanced"}, {"class_weight": [1.0, 2.0, 3.0, 4.0]}])
def test_focal_without_gamma_is_cross_entropy(logits_and_classes, fields):
    output, target = logits_and_classes
    expected = loss_of({"cross_entropy": fields}, "classes", 4)(output, target)
    assert torch.allclose(loss_of({"focal": {"gamma": 0.0, **fields}}, "classes", 4)(output, target), expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_is_kornias(logits_and_classes, gamma):
    output, target = logits_and_classes
    expected = kornia.losses.focal_loss(output, target, alpha=None, gamma=gamma, reduction="none").sum(1).mean()
    assert torch.allclose(loss_of({"focal": gamma}, "classes", 4)(output, target), expected, atol=1e-6)


def test_focal_alpha_on_labels_and_two_classes_is_kornias(binary):
    output, target = binary
    labels = F.one_hot(target, 2).float()
    expected = kornia.losses.binary_focal_loss_with_logits(output, labels, alpha=0.25, gamma=2.0, reduction="mean")
    assert torch.allclose(loss_of({"focal": {"alpha": 0.25}}, "labels", 2)(output, labels), expected, atol=1e-6)
    lead, yes = (output[:, 1] - output[:, 0])[:, None], target[:, None].float()
    expected = kornia.losses.binary_focal_loss_with_logits(lead, yes, alpha=0.25, gamma=2.0, reduction="mean")
    assert torch.allclose(loss_of({"focal": {"alpha": 0.25}}, "classes", 2)(output, target), expected, atol=1e-6)


def test_hinge_is_sklearns_for_two_and_for_many_classes(binary, logits_and_classes):
    output, target = binary
    expected = sklearn.metrics.hinge_loss(target, output[:, 1] - output[:, 0])
    assert loss_of("hinge", "classes", 2)(output, target).item() == pytest.approx(expected, rel=1e-5)
    output, target = logits_and_classes
    expected = sklearn.metrics.hinge_loss(target, output)
    assert loss_of("hinge", "classes", 4)(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_squared_hinge_and_its_margin():
    module = loss_of({"hinge": {"margin": 2.0, "squared": True}}, "classes", 3)
    assert module(torch.tensor([[0.5, 1.0, -3.0]]), torch.tensor([0])).item() == pytest.approx(2.5**2)
    labels = loss_of("hinge", "labels", 2)
    assert labels(torch.tensor([[0.25, 3.0]]), torch.tensor([[1.0, 0.0]])).item() == pytest.approx((0.75 + 4) / 2)


def test_perceptron_gradient_is_rosenblatts_rule():
    module = loss_of("perceptron", "classes", 3)
    output = torch.tensor([[1.0, 3.0, 2.0]], requires_grad=True)
    module(output, torch.tensor([0])).backward()
    assert output.grad.tolist() == [[-1.0, 1.0, 0.0]]
    assert module(output, torch.tensor([1])).item() == 0
    tie = torch.zeros(1, 2, requires_grad=True)
    loss_of("perceptron", "classes", 2)(tie, torch.tensor([1])).backward()
    assert tie.grad.tolist() == [[1.0, -1.0]]


def test_mse_on_classes_is_the_distance_to_one_hot(logits_and_classes):
    output, target = logits_and_classes
    expected = sklearn.metrics.mean_squared_error(np.eye(4)[target], output)
    assert loss_of("mse", "classes", 4)(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_weights_that_do_not_fit_are_refused():
    spec = Loss.model_validate({"cross_entropy": {"class_weight": [1.0, 2.0]}})
    with pytest.raises(ShapeError, match="2 entries, but there are 3 classes"):
        spec.validate_target(target_facts("classes", 3))
    with pytest.raises(ShapeError, match="use cross_entropy"):
        Loss.model_validate("binary_cross_entropy").validate_target(target_facts("classes", 3))
    with pytest.raises(ShapeError, match="use class_weight"):
        Loss.model_validate({"focal": {"alpha": 0.25}}).validate_target(target_facts("classes", 3))
    with pytest.raises(ValidationError, match="not both"):
        Loss.model_validate({"focal": {"alpha": 0.25, "class_weight": "balanced"}})


def test_balanced_needs_every_class():
    spec = Loss.model_validate({"cross_entropy": {"class_weight": "balanced"}})
    facts = target_facts("classes", 3)
    with pytest.raises(ShapeError, match="there is no b"):
        spec.validate_target(DataFacts(facts.fields, facts.inputs, "target", ("a", "b", "c"), class_counts=(3, 0, 2)))


def test_chance_level_of_cross_entropy_is_ln_k():
    assert Loss.model_validate("cross_entropy").chance_level(target_facts("classes", 8)) == pytest.approx(math.log(8))


WEIGHTS = {"none": None, "balanced": "balanced", "list": [1.0, 3.0, 0.5, 2.0], "names": {"b": 3.0}}


@pytest.mark.parametrize(("weight", "smoothing"), itertools.product(WEIGHTS, [0.0, 0.2]))
def test_weights_and_smoothing_together_are_torchs(logits_and_classes, weight, smoothing):
    output, target = logits_and_classes
    values = {
        "none": None,
        "balanced": compute_class_weight("balanced", classes=np.arange(4), y=np.repeat([0, 1, 2, 3], [10, 20, 30, 40])),
        "list": WEIGHTS["list"],
        "names": [1.0, 3.0, 1.0, 1.0],
    }[weight]
    weights = None if values is None else torch.tensor(values, dtype=torch.float32)
    expected = nn.CrossEntropyLoss(weights, label_smoothing=smoothing)(output, target)
    fields = {"class_weight": WEIGHTS[weight], "label_smoothing": smoothing}
    torch.testing.assert_close(loss_of({"cross_entropy": fields}, "classes", 4)(output, target), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_positive_weights_and_smoothing_of_labels_are_torchs(smoothing):
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(BATCH, 3, generator=generator)
    target = torch.randint(0, 2, (BATCH, 3), generator=generator).float()
    smooth = torch.where(target == 1, 1 - smoothing / 2, smoothing / 2)
    expected = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 4.0, 1.0]))(output, smooth)
    fields = {"class_weight": {"b": 4.0}, "label_smoothing": smoothing}
    torch.testing.assert_close(loss_of({"binary_cross_entropy": fields}, "labels", 3)(output, target), expected)


def test_the_focal_loss_of_labels_with_weights_is_its_formula():
    output, target = torch.tensor([[0.3, -1.2], [2.0, 0.1]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    p = torch.sigmoid(output).double()
    right = torch.where(target == 1, p, 1 - p)
    weight = torch.where(target == 1, torch.tensor([1.0, 3.0]), torch.tensor(1.0))
    expected = (-weight * (1 - right) ** 1.5 * right.log()).mean()
    module = loss_of({"focal": {"gamma": 1.5, "class_weight": {"b": 3.0}}}, "labels", 2)
    assert module(output, target).item() == pytest.approx(expected.item(), rel=1e-6)


def test_focal_weighs_the_positive_class():
    output, target = torch.tensor([[0.3, -1.2], [2.0, 0.1]]), torch.tensor([0, 1])
    swapped = loss_of({"focal": {"alpha": 0.2}}, "classes", 2)(output.flip(1), 1 - target)
    named = loss_of({"focal": {"alpha": 0.2, "positive": "a"}}, "classes", 2)(output, target)
    torch.testing.assert_close(named, swapped)
    assert not torch.isclose(named, loss_of({"focal": {"alpha": 0.2, "positive": "b"}}, "classes", 2)(output, target))
    facts = target_facts("classes", 2)
    (warning,) = Loss.model_validate({"focal": {"alpha": 0.2}}).check(context(facts))
    assert warning.severity == "warning" and "alpha weighs b" in warning.message
    assert not list(Loss.model_validate({"focal": {"alpha": 0.2, "positive": "a"}}).check(context(facts)))
    with pytest.raises(ShapeError, match="no class 'c'"):
        Loss.model_validate({"focal": {"alpha": 0.2, "positive": "c"}}).validate_target(facts)
    with pytest.raises(ValidationError, match="give alpha too"):
        Loss.model_validate({"focal": {"positive": "a"}})


def test_a_weight_of_a_class_that_is_not_there_is_refused():
    with pytest.raises(ShapeError, match="no class 'frau'; there is fraud"):
        Loss.model_validate({"cross_entropy": {"class_weight": {"frau": 2.0}}}).validate_target(
            target_facts("classes", 2, names=("fraud", "legit"))
        )


def test_dice_with_pixels_that_are_ignored_is_that_of_the_others():
    generator = torch.Generator().manual_seed(0)
    output, target = torch.randn(2, 3, 4, generator=generator), torch.randint(0, 3, (2, 4), generator=generator)
    target[0, 3] = target[1, 0] = target[1, 1] = IGNORED
    p, losses = output.softmax(1), []
    for i in range(2):
        keep = target[i] != IGNORED
        y = F.one_hot(target[i][keep], 3).T
        overlap = (2 * (p[i][:, keep] * y).sum(1) + 1) / (p[i][:, keep].sum(1) + y.sum(1) + 1)
        losses.append(1 - overlap.mean() + F.cross_entropy(output[i][:, keep].T, target[i][keep]))
    module = Loss.model_validate({"dice": 1.0}).build_elementwise(target_facts("classes", 3))
    torch.testing.assert_close(module(output, target), torch.stack(losses).mean())


def test_labels_learned_by_squares_are_decided_at_one_half():
    """A least-squares fit of rare labels: its output estimates their probability, which is 0.5 at the border."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3))
    labels = (x + 0.4 * rng.normal(size=x.shape) > 0.7).astype(float)  # a quarter of them is true
    design = np.hstack([x, np.ones((2000, 1))])
    output = torch.from_numpy(design @ np.linalg.lstsq(design, labels, rcond=None)[0])
    facts = target_facts("labels", 3)
    decision = decide(Loss.model_validate("mse").predict(output, facts), facts).numpy()
    accuracy = (decision == labels).mean()
    assert accuracy == ((output.numpy() > 0.5) == labels).mean() > 0.85
    assert ((output.numpy() > 0) == labels).mean() < accuracy - 0.1


@pytest.mark.parametrize("name", ["focal", "binary_cross_entropy"])
def test_the_chance_level_of_weighted_labels_is_not_known_and_that_of_weighted_classes_is(name):
    spec = Loss.model_validate({name: {"class_weight": [1.0, 3.0]}})
    assert spec.chance_level(target_facts("labels", 2)) is None
    assert Loss.model_validate(name).chance_level(target_facts("labels", 2)) is not None
    facts = target_facts("classes", 2)
    value = spec.build(facts)(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])).item()
    assert spec.chance_level(facts) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_a_weight_for_each_class_is_asked_for(loss):
    with pytest.raises(ShapeError, match="2"):
        Loss.model_validate({loss: {"class_weight": [1.0, 2.0]}}).validate_target(target_facts("classes", 3))
