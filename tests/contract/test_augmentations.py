"""Every augmentation: its documentation is true, it keeps what it should, and its seed decides."""

import pytest
import torch
from augmentation_inputs import CLASSES, IMAGE, TARGET, TEXT, always, augmentation, images, seeded, tokens
from kit import example

from dlx.component import types
from dlx.errors import ShapeError
from dlx.tensors import TensorSpec

TYPES = types("augmentations")


def inputs():
    """Return batches of every kind that an augmentation may meet, each with its spec."""
    generator = torch.Generator().manual_seed(0)
    return [
        (images(), IMAGE),
        (images(channels=1), TensorSpec((1, 24, 20), "CHW")),
        (torch.randn(12, 5, generator=generator), TensorSpec((5,), "F")),
        (torch.randn(12, 4, 5, generator=generator), TensorSpec((4, 5), "TF")),
        (tokens(), TEXT),
    ]


def accepted(leaf):
    """Return each (batch, spec) that a leaf does not refuse."""
    pairs = []
    for batch, x in inputs():
        try:
            leaf.validate_input(x)
        except ShapeError:
            continue
        pairs.append((batch, x))
    return pairs


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    leaf = augmentation(example("augmentations", name))
    assert leaf.type == name
    assert augmentation(leaf.model_dump(mode="json", serialize_as_any=True)) == leaf


@pytest.mark.parametrize("name", TYPES)
def test_shape_and_type_are_kept_and_everything_is_finite(name):
    leaf = always(name)
    assert accepted(leaf), f"{name} accepts no kind of input"
    for batch, x in accepted(leaf):
        before = batch.clone()
        out, target = seeded(leaf.build(x, CLASSES), batch, TARGET)
        assert out.shape == batch.shape, x
        assert out.dtype == batch.dtype, x
        assert out.isfinite().all(), x
        assert not torch.equal(out, batch), "nothing was changed"
        assert torch.equal(batch, before), "the input was changed in place"
        assert len(target) == len(TARGET)


@pytest.mark.parametrize("name", TYPES)
def test_targets_stay_or_become_probabilities(name):
    leaf = always(name)
    for batch, x in accepted(leaf):
        _, target = seeded(leaf.build(x, CLASSES), batch, TARGET)
        if target.is_floating_point():
            assert target.shape == (12, CLASSES)
            torch.testing.assert_close(target.sum(1), torch.ones(12))
            assert target.min() >= 0
        else:
            assert torch.equal(target, TARGET)


@pytest.mark.parametrize("name", TYPES)
def test_probability_0_changes_nothing(name):
    leaf = always(name, p=0.0)
    for batch, x in accepted(leaf):
        out, target = seeded(leaf.build(x, CLASSES), batch, TARGET)
        assert torch.equal(out, batch), x
        assert torch.equal(target.argmax(1) if target.is_floating_point() else target, TARGET)


@pytest.mark.parametrize("name", TYPES)
def test_probability_one_half_changes_some_samples(name):
    leaf = always(name, p=0.5)
    batch, x = accepted(leaf)[0]
    batch = torch.cat([batch] * 4)
    out, _ = seeded(leaf.build(x, CLASSES), batch, torch.cat([TARGET] * 4))
    changed = (out != batch).flatten(1).any(1)
    assert 8 <= changed.sum() <= 40


@pytest.mark.parametrize("name", TYPES)
def test_the_seed_decides(name):
    leaf = always(name, p=0.5)
    for batch, x in accepted(leaf):
        function = leaf.build(x, CLASSES)
        first, second = seeded(function, batch, TARGET, 7), seeded(function, batch, TARGET, 7)
        rebuilt = seeded(leaf.build(x, CLASSES), batch, TARGET, 7)
        for again in (second, rebuilt):
            assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), x
        others = [seeded(function, batch, TARGET, seed)[0] for seed in range(8, 12)]
        assert any(not torch.equal(first[0], other) for other in others), x
