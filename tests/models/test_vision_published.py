"""Vision models have the parameters and multiply-adds of their papers."""

import pytest
from vision_inputs import CIFAR, MULTIPLY_ADDS, PHOTO, SCAN, with_head, with_options

from dlx.models import Model

# Parameters with 1,000 classes: the papers where they state them to the digit, else the reference implementations.
PARAMETERS = [
    (with_options("alexnet"), 61_100_840),
    (with_options("alexnet", groups=2), 60_965_224),
    (with_options("vgg", depth=11), 132_863_336),
    (with_options("vgg", depth=13), 133_047_848),
    (with_options("vgg", depth=16), 138_357_544),
    (with_options("vgg", depth=19), 143_667_240),
    (with_options("vgg", depth=16, batch_norm=True), 138_365_992),
    (with_options("googlenet"), 6_624_904),
    (with_options("googlenet", batch_norm=False, large_kernel=5), 6_998_552),  # Caffe's bvlc_googlenet
    (with_options("resnet", depth=18), 11_689_512),
    (with_options("resnet", depth=34), 21_797_672),
    (with_options("resnet", depth=50), 25_557_032),
    (with_options("resnet", depth=101), 44_549_160),
    (with_options("resnet", depth=152), 60_192_808),
    (with_options("densenet", depth=121), 7_978_856),
    (with_options("densenet", depth=161), 28_681_000),
    (with_options("densenet", depth=169), 14_149_480),
    (with_options("densenet", depth=201), 20_013_928),
    (with_options("mobilenet", version=1), 4_231_976),
    (with_options("mobilenet", version=2), 3_504_872),
    (with_options("mobilenet", version=2, width_mult=0.5), 1_968_680),
    (with_options("convnext", size="tiny"), 28_589_128),
    (with_options("convnext", size="small"), 50_223_688),
    (with_options("convnext", size="base"), 88_591_464),
]


@pytest.mark.parametrize(("model", "published"), PARAMETERS, ids=str)
def test_parameters_are_those_published(model, published):
    assert with_head(dict(model), PHOTO).cost(PHOTO).parameters == published


@pytest.mark.parametrize(("model", "published"), MULTIPLY_ADDS, ids=str)
def test_multiply_adds_are_those_published(model, published):
    assert with_head(dict(model), PHOTO).cost(PHOTO).macs / 1e9 == pytest.approx(published, abs=0.006)


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_resnets_for_small_images_have_the_papers_parameters(depth, millions):
    """Table 6 of the paper, in millions; zeros in place of projections, so that plain twins have as many."""
    for shortcuts in (True, False):
        cost = with_head({"type": "resnet", "depth": depth, "residual": shortcuts}, CIFAR).cost(CIFAR)
        assert cost.parameters / 1e6 == pytest.approx(millions, abs=0.03 if depth == 110 else 0.006)


def test_preactivated_resnet110_has_the_parameters_of_the_plain_order():
    """Only norms move: one at the end for one in the stem's place, so that counts differ by less than a thousandth."""
    both = [with_head({"type": "resnet", "depth": 110, "preactivation": p}, CIFAR) for p in (False, True)]
    a, b = (tree.cost(CIFAR) for tree in both)
    assert a.macs == b.macs and a.parameters == pytest.approx(b.parameters, rel=1e-3)


def test_unet_has_the_parameters_of_a_count_by_hand():
    widths = [64, 128, 256, 512, 1024]
    down = sum(9 * i * o + o + 9 * o * o + o for i, o in zip([1, *widths[:-1]], widths, strict=True))
    up = sum(4 * 2 * w * w + w + 9 * 2 * w * w + w + 9 * w * w + w for w in widths[:-1])
    assert Model.model_validate("unet").tree(SCAN).cost(SCAN).parameters == down + up == 31_030_528
    assert with_head("unet", SCAN).cost(SCAN).parameters == 31_030_528 + 2 * 65
