"""Every loss: its example validates, perfect beats random, gradients are finite; and its formula, against others."""

from __future__ import annotations

import inspect
import math
import textwrap

import kornia
import numpy as np
import pytest
import sklearn.metrics
import torch
import yaml
from pydantic import ValidationError
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from dlx.component import leaf_class, types
from dlx.errors import RunError, ShapeError
from dlx.facts import DataFacts
from dlx.losses import Loss
from dlx.tensors import TensorSpec

LOSSES = types("losses")
BATCH = 64


def facts_of(kind: str, k: int) -> DataFacts:
    """Facts of a target of this kind with k classes, labels or outputs."""
    scalar = TensorSpec((), "", "int64")
    return DataFacts(
        fields={"x": TensorSpec((3,), "F"), "target": scalar if kind == "classes" else TensorSpec((k,), "F")},
        inputs=("x",),
        target="target",
        classes=() if kind == "regression" else tuple("abcdefgh"[:k]),
        multilabel=kind == "labels",
        class_counts=() if kind == "regression" else tuple(range(10, 10 * k + 1, 10)),
        counts={"train": 100},
    )


def loss_of(spelling: object, kind: str, k: int) -> torch.nn.Module:
    return Loss.model_validate(spelling).build(facts_of(kind, k))


def random_target(kind: str, k: int) -> torch.Tensor:
    if kind == "classes":
        return torch.arange(BATCH) % k
    return torch.randint(0, 2, (BATCH, k)).float() if kind == "labels" else torch.rand(BATCH, k) * 3 + 0.5


def perfect_output(loss: Loss, kind: str, target: torch.Tensor, k: int) -> torch.Tensor:
    """Return outputs that mean the target with much confidence, whatever the loss makes of outputs."""
    if kind == "classes":
        target = F.one_hot(target, k).float()
    outputs = loss.out_features(facts_of(kind, k))
    return LINKS[loss.inverse_links[kind]](target).repeat_interleave(outputs // k, 1)


LINKS = {
    "identity": lambda y: y,
    "exp": torch.log,
    "softmax": lambda y: 20 * y,
    "sparsemax": lambda y: y,
    "sigmoid": lambda y: 40 * y - 20,
    "clip": lambda y: y,
}
"""For each inverse link an output whose prediction is y."""


def cases() -> list[tuple[str, str, int]]:
    """Every loss with every kind of target that it judges, and two sizes."""
    found = []
    for name in LOSSES:
        leaf = Loss.model_validate(name)
        for kind in leaf.inverse_links:
            for k in (1, 2, 3) if kind != "classes" else (2, 4):
                try:
                    leaf.validate_target(facts_of(kind, k))
                except ShapeError:
                    continue
                found.append((name, kind, k))
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_example_validates_and_round_trips(name: str) -> None:
    leaf = leaf_class("losses", name)
    example = textwrap.dedent(inspect.getdoc(leaf).split("Example:")[1])
    loss = Loss.model_validate(yaml.safe_load(example))
    assert type(loss) is leaf and loss.type == name
    assert Loss.model_validate(loss.model_dump(serialize_as_any=True)) == loss


@pytest.mark.parametrize(("name", "kind", "k"), cases())
def test_perfect_beats_random_with_finite_gradients(name: str, kind: str, k: int) -> None:
    torch.manual_seed(0)
    spec, facts, target = Loss.model_validate(name), facts_of(kind, k), random_target(kind, k)
    module = spec.build(facts)
    output = torch.randn(BATCH, spec.out_features(facts), requires_grad=True)
    value = module(output, target)
    value.backward()
    assert value.ndim == 0 and value.isfinite()
    assert output.grad.isfinite().all() and output.grad.abs().sum() > 0
    assert module(perfect_output(spec, kind, target, k), target) < value
    assert spec.point(spec.predict(output, facts)).shape == (BATCH, k)


@pytest.mark.parametrize(("name", "kind", "k"), cases())
def test_extreme_outputs_stay_finite(name: str, kind: str, k: int) -> None:
    spec, facts = Loss.model_validate(name), facts_of(kind, k)
    size = 80.0  # exp(80) is still a float32; a log-rate of more is no rate
    output = torch.full((BATCH, spec.out_features(facts)), size)
    output[::2] = -size
    output[1::3, 0] = -size
    output.requires_grad_()
    value = spec.build(facts)(output, random_target(kind, k))
    value.backward()
    assert value.isfinite() and output.grad.isfinite().all()


@pytest.mark.parametrize(("name", "kind", "k"), cases())
def test_descending_the_loss_reaches_the_target(name: str, kind: str, k: int) -> None:
    torch.manual_seed(0)
    spec, facts, target = Loss.model_validate(name), facts_of(kind, k), random_target(kind, k)
    output, module = torch.zeros(BATCH, spec.out_features(facts), requires_grad=True), spec.build(facts)
    optimizer = torch.optim.Adam([output], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        module(output, target).backward()
        optimizer.step()
    prediction = spec.point(spec.predict(output.detach(), facts))
    if kind == "classes":
        assert (prediction.argmax(1) == target).all()
        assert torch.allclose(prediction.sum(1), torch.ones(BATCH))
    elif kind == "labels":
        assert ((prediction > 0.5) == (target > 0.5)).all()
    elif kind == "regression":
        assert (prediction - target).abs().mean() < 0.1


@pytest.mark.parametrize(("name", "kind", "k"), [c for c in cases() if c[1] != "regression"])
def test_chance_level_is_the_loss_of_answering_every_class_alike(name: str, kind: str, k: int) -> None:
    spec, facts = Loss.model_validate(name), facts_of(kind, k)
    uniform = spec.chance_level(facts)
    if uniform is not None:
        target = (
            torch.cat([torch.zeros(BATCH, k), torch.ones(BATCH, k)]) if kind == "labels" else random_target(kind, k)
        )
        assert spec.build(facts)(torch.zeros(len(target), k), target).item() == pytest.approx(uniform, rel=1e-5)


@pytest.mark.parametrize("name", [n for n in LOSSES if "classes" in leaf_class("losses", n).inverse_links])
def test_soft_targets_work_or_are_refused_clearly(name: str) -> None:
    spec = Loss.model_validate(name)
    target, output = torch.tensor([[0.3, 0.7], [1.0, 0.0]]), torch.randn(2, 2)
    module = spec.build(facts_of("classes", 2))
    if not spec.accepts_soft_targets:
        with pytest.raises(RunError, match=f"{name} needs one class a sample"):
            module(output, target)
        return
    assert module(output, target).isfinite()
    hard = torch.tensor([0, 1])
    assert torch.allclose(module(output, hard), module(output, F.one_hot(hard).float()))


@pytest.mark.parametrize("name", LOSSES)
def test_a_target_that_cannot_be_judged_is_refused(name: str) -> None:
    spec = Loss.model_validate(name)
    for kind in {"classes", "labels", "regression"} - set(spec.inverse_links):
        with pytest.raises(ShapeError, match=kind):
            spec.out_features(facts_of(kind, 2))


# ---- against other implementations --------------------------------------------------------------------------------


@pytest.fixture
def logits_and_classes() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(BATCH, 4) * 2, torch.randint(0, 4, (BATCH,))


@pytest.fixture
def binary() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    return torch.randn(BATCH, 2) * 2, torch.randint(0, 2, (BATCH,))


def test_cross_entropy_is_sklearns_log_loss(logits_and_classes) -> None:
    output, target = logits_and_classes
    expected = sklearn.metrics.log_loss(target, output.double().softmax(1))
    assert loss_of("cross_entropy", "classes", 4)(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_is_cross_entropy_with_a_smoothed_target(logits_and_classes) -> None:
    output, target = logits_and_classes
    smoothed = F.one_hot(target, 4) * 0.8 + 0.2 / 4
    expected = -(smoothed * output.log_softmax(1)).sum(1).mean()
    assert torch.allclose(loss_of({"cross_entropy": 0.2}, "classes", 4)(output, target), expected)


def test_balanced_weights_are_scikit_learns(logits_and_classes) -> None:
    output, target = logits_and_classes
    labels = np.repeat([0, 1, 2, 3], [10, 20, 30, 40])
    weights = compute_class_weight("balanced", classes=np.arange(4), y=labels)
    expected = sklearn.metrics.log_loss(target, output.double().softmax(1), sample_weight=weights[target.numpy()])
    loss = loss_of({"cross_entropy": {"class_weight": "balanced"}}, "classes", 4)
    assert loss(output, target).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "fields", [{}, {"label_smoothing": 0.1}, {"class_weight": "balanced"}, {"class_weight": [1.0, 3.0]}]
)
def test_binary_cross_entropy_of_two_classes_is_cross_entropy(binary, fields: dict[str, object]) -> None:
    output, target = binary
    expected = loss_of({"cross_entropy": fields}, "classes", 2)(output, target)
    assert torch.allclose(loss_of({"binary_cross_entropy": fields}, "classes", 2)(output, target), expected, atol=1e-6)


def test_binary_cross_entropy_of_labels_is_torchs_with_balanced_positives() -> None:
    output, target = torch.randn(BATCH, 3), torch.randint(0, 2, (BATCH, 3)).float()
    plain = F.binary_cross_entropy(output.sigmoid(), target)
    assert torch.allclose(loss_of("binary_cross_entropy", "labels", 3)(output, target), plain, atol=1e-6)
    weight = torch.where(target == 1, torch.tensor([90 / 10, 80 / 20, 70 / 30]), torch.tensor(1.0))
    weighted = F.binary_cross_entropy(output.sigmoid(), target, weight=weight)
    balanced = loss_of({"binary_cross_entropy": {"class_weight": "balanced"}}, "labels", 3)
    assert torch.allclose(balanced(output, target), weighted, atol=1e-6)


@pytest.mark.parametrize("fields", [{}, {"class_weight": "balanced"}, {"class_weight": [1.0, 2.0, 3.0, 4.0]}])
def test_focal_without_gamma_is_cross_entropy(logits_and_classes, fields: dict[str, object]) -> None:
    output, target = logits_and_classes
    expected = loss_of({"cross_entropy": fields}, "classes", 4)(output, target)
    assert torch.allclose(loss_of({"focal": {"gamma": 0.0, **fields}}, "classes", 4)(output, target), expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_is_kornias(logits_and_classes, gamma: float) -> None:
    output, target = logits_and_classes
    expected = kornia.losses.focal_loss(output, target, alpha=None, gamma=gamma, reduction="none").sum(1).mean()
    assert torch.allclose(loss_of({"focal": gamma}, "classes", 4)(output, target), expected, atol=1e-6)


def test_focal_alpha_on_labels_and_two_classes_is_kornias(binary) -> None:
    output, target = binary
    labels = F.one_hot(target, 2).float()
    expected = kornia.losses.binary_focal_loss_with_logits(output, labels, alpha=0.25, gamma=2.0, reduction="mean")
    assert torch.allclose(loss_of({"focal": {"alpha": 0.25}}, "labels", 2)(output, labels), expected, atol=1e-6)
    lead, yes = (output[:, 1] - output[:, 0])[:, None], target[:, None].float()
    expected = kornia.losses.binary_focal_loss_with_logits(lead, yes, alpha=0.25, gamma=2.0, reduction="mean")
    assert torch.allclose(loss_of({"focal": {"alpha": 0.25}}, "classes", 2)(output, target), expected, atol=1e-6)


def test_hinge_is_sklearns_for_two_and_for_many_classes(binary, logits_and_classes) -> None:
    output, target = binary
    expected = sklearn.metrics.hinge_loss(target, output[:, 1] - output[:, 0])
    assert loss_of("hinge", "classes", 2)(output, target).item() == pytest.approx(expected, rel=1e-5)
    output, target = logits_and_classes
    expected = sklearn.metrics.hinge_loss(target, output)
    assert loss_of("hinge", "classes", 4)(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_squared_hinge_and_its_margin() -> None:
    module = loss_of({"hinge": {"margin": 2.0, "squared": True}}, "classes", 3)
    assert module(torch.tensor([[0.5, 1.0, -3.0]]), torch.tensor([0])).item() == pytest.approx(2.5**2)
    labels = loss_of("hinge", "labels", 2)
    assert labels(torch.tensor([[0.25, 3.0]]), torch.tensor([[1.0, 0.0]])).item() == pytest.approx((0.75 + 4) / 2)


def test_perceptron_gradient_is_rosenblatts_rule() -> None:
    module = loss_of("perceptron", "classes", 3)
    output = torch.tensor([[1.0, 3.0, 2.0]], requires_grad=True)
    module(output, torch.tensor([0])).backward()
    assert output.grad.tolist() == [[-1.0, 1.0, 0.0]]
    assert module(output, torch.tensor([1])).item() == 0
    tie = torch.zeros(1, 2, requires_grad=True)
    loss_of("perceptron", "classes", 2)(tie, torch.tensor([1])).backward()
    assert tie.grad.tolist() == [[1.0, -1.0]]


@pytest.mark.parametrize(
    ("spelling", "reference"),
    [
        ("mse", F.mse_loss),
        ("mae", F.l1_loss),
        ("huber", F.huber_loss),
        ({"huber": 0.3}, lambda o, t: F.huber_loss(o, t, delta=0.3)),
        ("log_cosh", lambda o, t: torch.cosh((o - t).double()).log().mean().float()),
        ("poisson", lambda o, t: (o.exp() - t * o).mean()),
    ],
)
def test_regression_losses_are_their_formulas(spelling: object, reference) -> None:
    torch.manual_seed(3)
    output, target = torch.randn(BATCH, 2), torch.rand(BATCH, 2) * 3
    assert torch.allclose(loss_of(spelling, "regression", 2)(output, target), reference(output, target), atol=1e-6)


def test_quantile_is_sklearns_pinball_loss() -> None:
    torch.manual_seed(4)
    output, target = torch.randn(BATCH, 4), torch.randn(BATCH, 2)
    spec = Loss.model_validate({"quantile": [0.1, 0.7]})
    assert spec.out_features(facts_of("regression", 2)) == 4
    low, high = output[:, [0, 2]], output[:, [1, 3]]
    expected = np.mean(
        [
            sklearn.metrics.mean_pinball_loss(target, low, alpha=0.1),
            sklearn.metrics.mean_pinball_loss(target, high, alpha=0.7),
        ]
    )
    facts = facts_of("regression", 2)
    assert spec.build(facts)(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_mse_on_classes_is_the_distance_to_one_hot(logits_and_classes) -> None:
    output, target = logits_and_classes
    expected = sklearn.metrics.mean_squared_error(np.eye(4)[target], output)
    assert loss_of("mse", "classes", 4)(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_weights_that_do_not_fit_are_refused() -> None:
    spec = Loss.model_validate({"cross_entropy": {"class_weight": [1.0, 2.0]}})
    with pytest.raises(ShapeError, match="2 entries, but there are 3 classes"):
        spec.validate_target(facts_of("classes", 3))
    with pytest.raises(ShapeError, match="use cross_entropy"):
        Loss.model_validate("binary_cross_entropy").validate_target(facts_of("classes", 3))
    with pytest.raises(ShapeError, match="use class_weight"):
        Loss.model_validate({"focal": {"alpha": 0.25}}).validate_target(facts_of("classes", 3))
    with pytest.raises(ValidationError, match="not both"):
        Loss.model_validate({"focal": {"alpha": 0.25, "class_weight": "balanced"}})


def test_balanced_needs_every_class() -> None:
    spec = Loss.model_validate({"cross_entropy": {"class_weight": "balanced"}})
    facts = facts_of("classes", 3)
    with pytest.raises(ShapeError, match="there is no b"):
        spec.validate_target(DataFacts(facts.fields, facts.inputs, "target", ("a", "b", "c"), class_counts=(3, 0, 2)))


def test_chance_level_of_cross_entropy_is_ln_k() -> None:
    assert Loss.model_validate("cross_entropy").chance_level(facts_of("classes", 8)) == pytest.approx(math.log(8))
