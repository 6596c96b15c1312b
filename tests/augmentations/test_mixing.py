"""Mixup and CutMix: targets are mixed as samples are."""

import pytest
import torch
from augmentation_inputs import CLASSES, IMAGE, TARGET, augmentation, seeded

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec


def test_mixup_mixes_targets_as_it_mixes_samples():
    one_hot = torch.eye(CLASSES)[TARGET]
    out, target = seeded(augmentation({"mixup": 1.0}).build(TensorSpec((3,), "F"), CLASSES), one_hot, TARGET)
    torch.testing.assert_close(out, target)
    assert ((target > 0.05) & (target < 0.95)).any()


def test_mixup_of_numbers_and_of_probabilities():
    numbers = torch.linspace(0, 1, 12).reshape(12, 1)
    out, target = seeded(augmentation({"mixup": 1.0}).build(TensorSpec((1,), "F"), 0), numbers, numbers * 5 + 1)
    torch.testing.assert_close(target, out * 5 + 1)
    mix = augmentation({"mixup": 1.0}).build(TensorSpec((3,), "F"), CLASSES)
    out, target = mix(*mix(torch.eye(3)[TARGET], TARGET))
    torch.testing.assert_close(out, target)


def test_mixup_shares_are_beta_distributed():
    classes = 2000
    mix = augmentation({"mixup": 0.4}).build(TensorSpec((1,), "F"), classes)
    _, probabilities = seeded(mix, torch.ones(classes, 1), torch.arange(classes))
    own = probabilities.diagonal()
    assert own.mean().item() == pytest.approx(0.5, abs=0.02)
    assert own.var().item() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.05)


def test_cutmix_pastes_one_rectangle_and_its_share_is_the_targets():
    classes = torch.arange(12)
    batch = classes.float().reshape(12, 1, 1, 1).expand(12, 3, 24, 20)
    out, target = seeded(augmentation({"cutmix": 1.0}).build(IMAGE, 12), batch, classes)
    pasted_some = 0
    for own, image, probabilities in zip(classes, out, target, strict=True):
        pasted = image[0] != own
        assert pasted.sum() == pasted.any(1).sum() * pasted.any(0).sum(), "not a rectangle"
        assert probabilities[own].item() == pytest.approx(1 - pasted.float().mean().item(), abs=1e-6)
        pasted_some += bool(pasted.any())
    assert pasted_some >= 6


def test_cutmix_needs_classes():
    with pytest.raises(ShapeError, match="use mixup"):
        augmentation("cutmix").build(IMAGE, 0)
