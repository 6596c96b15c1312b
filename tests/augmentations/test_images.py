"""Augmentations of images against other implementations, and what they may do at most."""

import numpy as np
import pytest
import torch
from augmentation_inputs import IMAGE, TEXT, always, augmentation, images, seeded
from scipy.ndimage import gaussian_filter

from dlx.errors import ShapeError
from dlx.tensors import TensorSpec


def test_randaugment_stays_between_black_and_white_and_treats_gray_as_color():
    gray = images(batch=16, channels=1)
    function = augmentation({"type": "rand_augment", "n": 2, "m": 9}).build(IMAGE, 0)
    color, _ = seeded(function, gray.expand(-1, 3, -1, -1), None)
    out, _ = seeded(function, gray, None)
    assert torch.equal(out, color[:, :1])
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize(("name", "axis"), [("random_horizontal_flip", 3), ("random_vertical_flip", 2)])
def test_flip_is_torchs(name, axis):
    batch = images()
    out, _ = always(name).build(IMAGE, 0)(batch, None)
    assert torch.equal(out, batch.flip(axis))


def test_affine_without_any_part_is_the_identity():
    batch = images()
    out, _ = augmentation({"type": "random_affine", "p": 1.0}).build(IMAGE, 0)(batch, None)
    torch.testing.assert_close(out, batch, atol=1e-5, rtol=0)


def test_affine_shifts_no_further_than_told():
    point = torch.zeros(200, 1, 33, 33)
    point[:, :, 16, 16] = 1
    x = TensorSpec((1, 33, 33), "CHW")
    out, _ = seeded(augmentation({"type": "random_affine", "p": 1.0, "translate": 0.2}).build(x, 0), point, None)
    for axis in (2, 3):
        shift = out.sum(axis).squeeze(1).argmax(1) - 16
        assert 4 <= shift.abs().max() <= 7  # a fifth of 33 pixels


def test_rotation_turns_both_ways_by_at_most_the_angle():
    bar = torch.zeros(100, 1, 41, 41)
    bar[:, :, 20, 20:] = 1  # points to the right
    x = TensorSpec((1, 41, 41), "CHW")
    out, _ = seeded(augmentation({"type": "random_rotation", "degrees": 45, "p": 1.0}).build(x, 0), bar, None)
    rows, columns = torch.meshgrid(torch.arange(41.0) - 20, torch.arange(41.0) - 20, indexing="ij")
    weight = out.squeeze(1)
    angle = torch.rad2deg(torch.atan2((weight * rows).sum((1, 2)), (weight * columns).sum((1, 2))))
    assert angle.abs().max() <= 46
    assert angle.min() < -30
    assert angle.max() > 30


def test_crop_is_a_window_of_the_padded_image():
    batch = images(batch=30)
    out, _ = seeded(augmentation({"type": "random_crop", "padding": 3}).build(IMAGE, 0), batch, None)
    padded = torch.nn.functional.pad(batch, (3, 3, 3, 3))
    places = set()
    for image, whole in zip(out, padded, strict=True):
        found = [(i, j) for i in range(7) for j in range(7) if torch.equal(image, whole[:, i : i + 24, j : j + 20])]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 15


def test_a_smaller_crop_is_enlarged_to_the_size_of_the_image():
    ramp = torch.arange(20.0).expand(50, 3, 24, 20)
    out, _ = seeded(augmentation({"type": "random_crop", "size": 10}).build(IMAGE, 0), ramp, None)
    spread = (out.amax(3) - out.amin(3))[:, 0, 0]
    torch.testing.assert_close(spread, torch.full((50,), 9.0))
    assert len(out[:, 0, 0, 0].unique()) > 5


def test_blur_is_scipys():
    batch = images(batch=2, channels=1, height=40, width=40)
    x = TensorSpec((1, 40, 40), "CHW")
    out, _ = augmentation({"type": "random_gaussian_blur", "sigma": [1.5, 1.5], "p": 1.0}).build(x, 0)(batch, None)
    for image, blurred in zip(batch, out, strict=True):
        expected = gaussian_filter(image[0].numpy().astype(np.float64), 1.5, mode="mirror", radius=5)
        np.testing.assert_allclose(blurred[0].numpy(), expected, atol=1e-5)


def test_erasing_paints_one_rectangle_of_the_area_asked_for():
    batch = images(batch=100) * 0.5 + 0.25
    leaf = augmentation({"type": "random_erasing", "scale": [0.1, 0.3], "value": 1.0, "p": 1.0})
    out, _ = seeded(leaf.build(IMAGE, 0), batch, None)
    painted = (out == 1).all(1)
    assert torch.equal(out.where(~painted[:, None], 0), batch.where(~painted[:, None], 0))
    for mask in painted:
        assert mask.sum() == mask.any(1).sum() * mask.any(0).sum(), "not a rectangle"
    share = painted.float().mean((1, 2))
    assert 0.05 < share.min() < 0.2 < share.max() < 0.36


def test_color_jitter_of_brightness_is_a_factor():
    batch = images() * 0.5 + 0.05
    leaf = augmentation({"type": "color_jitter", "brightness": 0.4, "p": 1.0})
    out, _ = seeded(leaf.build(IMAGE, 0), batch, None)
    factor = (out / batch).flatten(1)
    torch.testing.assert_close(factor, factor.mean(1, keepdim=True).expand_as(factor), atol=1e-4, rtol=0)
    assert 0.6 <= factor.min() < 0.9
    assert 1.1 < factor.max() <= 1.4001


def test_noise_has_the_deviation_asked_for():
    batch = torch.zeros(400, 50)
    out, _ = seeded(augmentation({"random_gaussian_noise": 0.3}).build(TensorSpec((50,), "F"), 0), batch, None)
    assert out.std().item() == pytest.approx(0.3, rel=0.02)
    assert out.mean().item() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("value", "x", "words"),
    [
        ("random_swap", IMAGE, "takes text"),
        ("random_vertical_flip", TEXT, "takes images"),
        ("cutmix", TensorSpec((5,), "F"), "takes images"),
        ("mixup", TensorSpec((5,), "F", "int64", vocab=(3,)), "codes"),
        ({"type": "random_crop", "size": 40}, IMAGE, "cannot cut 40"),
        ({"type": "random_crop", "padding": 22, "padding_mode": "reflect"}, IMAGE, "cannot mirror"),
        ({"type": "random_crop", "padding": 2}, TensorSpec((3, None, None), "CHW"), "resize them first"),
        ({"type": "color_jitter", "hue": 0.1}, TensorSpec((1, 24, 20), "CHW"), "3 channels"),
        ({"type": "random_gaussian_blur", "sigma": [1.0, 9.0]}, IMAGE, "more than 27 pixels"),
        ("rand_augment", TensorSpec((4, 24, 20), "CHW"), "1 or 3 channels"),
    ],
)
def test_what_does_not_fit_is_refused(value, x, words):
    with pytest.raises(ShapeError, match=words):
        augmentation(value).validate_input(x)


def test_a_range_that_falls_is_an_error():
    with pytest.raises(ValueError, match="write the smaller number first"):
        augmentation({"type": "random_affine", "scale": [1.2, 0.8]})
