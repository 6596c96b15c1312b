"""Every loss: its example validates, perfect beats random, gradients are finite, and predictions are what they say."""

from dataclasses import replace

import pytest
import torch
from kit import example
from targets import target_facts
from torch.nn import functional as F

from dlx.component import leaf_class, types
from dlx.errors import RunError, ShapeError
from dlx.facts import IGNORED
from dlx.losses import Loss, decide

LOSSES = types("losses")
BATCH = 64


def random_target(kind: str, k: int) -> torch.Tensor:
    if kind == "classes":
        return torch.arange(BATCH) % k
    return torch.randint(0, 2, (BATCH, k)).float() if kind == "labels" else torch.rand(BATCH, k) * 3 + 0.5


def perfect_output(loss: Loss, kind: str, target: torch.Tensor, k: int) -> torch.Tensor:
    """Return outputs that mean the target with much confidence, whatever the loss makes of outputs."""
    if kind == "classes":
        target = F.one_hot(target, k).float()
    outputs = loss.out_features(target_facts(kind, k))
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
                    leaf.validate_target(target_facts(kind, k))
                except ShapeError:
                    continue
                found.append((name, kind, k))
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_example_validates_and_round_trips(name: str) -> None:
    loss = Loss.model_validate(example("losses", name))
    assert type(loss) is leaf_class("losses", name) and loss.type == name
    assert Loss.model_validate(loss.model_dump(serialize_as_any=True)) == loss


@pytest.mark.parametrize(("name", "kind", "k"), cases())
def test_perfect_beats_random_with_finite_gradients(name: str, kind: str, k: int) -> None:
    torch.manual_seed(0)
    spec, facts, target = Loss.model_validate(name), target_facts(kind, k), random_target(kind, k)
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
    spec, facts = Loss.model_validate(name), target_facts(kind, k)
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
    spec, facts, target = Loss.model_validate(name), target_facts(kind, k), random_target(kind, k)
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
    spec, facts = Loss.model_validate(name), target_facts(kind, k)
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
    module = spec.build(target_facts("classes", 2))
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
            spec.out_features(target_facts(kind, 2))


CLASS_CASES = [case for case in cases() if case[1] != "regression"]


@pytest.mark.parametrize(("name", "kind", "k"), CLASS_CASES)
def test_predictions_lie_in_0_to_1_and_decide_as_the_output_does(name: str, kind: str, k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    spec, facts = Loss.model_validate(name), target_facts(kind, k)
    output = 2 * torch.randn(BATCH, k, generator=generator)
    prediction = spec.predict(output, facts)
    assert prediction.shape == (BATCH, k) and prediction.min() >= 0 and prediction.max() <= 1
    if kind == "classes":
        torch.testing.assert_close(prediction.sum(1), torch.ones(BATCH))
        assert torch.equal(decide(prediction, facts), output.argmax(1))


@pytest.mark.parametrize(("name", "kind", "k"), CLASS_CASES)
def test_the_least_loss_of_a_constant_output_decides_for_what_is_more_frequent(name: str, kind: str, k: int) -> None:
    """The network that sees nothing learns how often each class is: 60 % of the first, or of each label."""
    spec, facts = Loss.model_validate(name), target_facts(kind, k)
    first = torch.arange(10) < 6
    target = torch.where(first, 0, 1) if kind == "classes" else first[:, None].expand(-1, k).float()
    output, module = torch.zeros(1, k, requires_grad=True), spec.build(facts)
    if module(output.expand(10, -1), target) == 0:
        pytest.skip("a constant output of zero is a minimum")
    optimizer = torch.optim.Adam([output], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        module(output.expand(10, -1), target).backward()
        optimizer.step()
    decision = decide(spec.predict(output.detach(), facts), facts)
    assert decision.tolist() == ([0] if kind == "classes" else [[True] * k]), output


@pytest.mark.parametrize("name", [name for name, kind, k in CLASS_CASES if (kind, k) == ("classes", 2)])
def test_positions_without_a_class_count_nowhere(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    spec, facts = Loss.model_validate(name), replace(target_facts("classes", 2), ignored=True)
    module = spec.build_elementwise(facts)
    output = torch.randn(3, 2, 4, 5, generator=generator, requires_grad=True)
    target = torch.randint(0, 2, (3, 4, 5), generator=generator)
    target[:, :2] = IGNORED
    module(output, target).backward()
    assert (output.grad[:, :, :2] == 0).all() and (output.grad[:, :, 2:] != 0).any()
    seen = module(output[:, :, 2:], target[:, 2:])
    torch.testing.assert_close(module(output, target), seen)
    torch.testing.assert_close(
        Loss.model_validate(name).build_elementwise(target_facts("classes", 2))(output[:, :, 2:], target[:, 2:]), seen
    )
    nothing = module(output, torch.full_like(target, IGNORED))
    nothing.backward()
    assert nothing.isfinite()


WEIGHTED = [n for n in LOSSES if {"class_weight"} & set(leaf_class("losses", n).model_fields)]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weight", [None, "balanced", {"b": 5.0}])
@pytest.mark.parametrize("name", [name for name, kind, k in CLASS_CASES if (kind, k) == ("classes", 2)])
def test_losses_of_parts_add_up_by_their_denominators(name: str, weight: object, soft: bool) -> None:
    if (weight is not None and name not in WEIGHTED) or (soft and not Loss.model_validate(name).accepts_soft_targets):
        pytest.skip("the loss has no weights, or takes one class a sample")
    generator = torch.Generator().manual_seed(0)
    spec = Loss.model_validate({name: {"class_weight": weight} if weight else {}})
    facts = target_facts("classes", 2)
    output, target = torch.randn(9, 2, generator=generator), torch.tensor([0, 0, 0, 0, 1, 0, 1, 1, 1])
    if soft:
        target = torch.rand(9, 2, generator=generator).softmax(1)
    module = spec.build(facts)
    parts = [slice(0, 2), slice(2, 9)]
    shares = [spec.denominator(target[part], facts) / spec.denominator(target, facts) for part in parts]
    added = sum(module(output[part], target[part]) * share for part, share in zip(parts, shares, strict=True))
    torch.testing.assert_close(added, module(output, target))
    assert spec.averages_samples(facts) == (weight is None)
