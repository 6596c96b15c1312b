"""Vision models, stage by stage as in the tables of their papers, and layer by layer as torch counts."""

import functools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from vision_inputs import CIFAR, MULTIPLY_ADDS, PHOTO, SCAN, with_head, with_options

from dlx.layers import walk
from dlx.models import Model


@functools.cache
def on_meta(model, x):
    """The network on torch's meta device, where nothing is computed: (its tree, itself)."""
    tree = with_head(dict(model), x)
    with torch.device("meta"):
        return tree, tree.build(x).eval()


def stages(model, x):
    """{name: (parameters, multiply-adds, output's dimensions)} of the named nodes of a model."""
    found = {}
    tree = Model.model_validate(model).tree(x)
    for child in tree.children(x):
        cost = child.layer.cost(child.x)
        found[child.name] = (cost.parameters, cost.macs, child.layer.shape(child.x).dims)
    return found


def test_inception_modules_are_those_of_table_one():
    """Parameters in units of 1,024 as the table gives them, for filters with biases and 5 × 5 as the largest.

    Most rows are within two hundredths of what their own widths make; 4c says 463 for 497, and 5a 1072 for 1019.
    """
    table = {"3a": 159, "3b": 380, "4a": 364, "4b": 437, "4c": 497, "4d": 580, "4e": 840, "5a": 1019, "5b": 1388}
    found = stages({"type": "googlenet", "batch_norm": False, "large_kernel": 5}, PHOTO)
    for name, thousands in table.items():
        assert found[f"inception{name}"][0] / 1024 == pytest.approx(thousands, rel=0.02), name
    sizes = {"stem": (192, 28, 28), "inception3b": (480, 28, 28), "inception4e": (832, 14, 14)}
    assert {name: found[name][2] for name in sizes} == sizes
    assert found["inception5b"][2] == (1024, 7, 7)


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_resnet_stages_have_the_sizes_of_table_one(depth):
    found = stages({"type": "resnet", "depth": depth}, PHOTO)
    widths = [256, 512, 1024, 2048] if depth >= 50 else [64, 128, 256, 512]
    expected = [(64, 56, 56), *((w, 56 >> i, 56 >> i) for i, w in enumerate(widths))]
    assert [dims for _, _, dims in found.values()] == expected


def test_resnet50_stages_have_the_parameters_of_their_convolutions():
    """By hand: c·w + 9·w² + 4·w² and their batch norms for every block, and a projection in the first."""

    def block(inputs, w):
        return inputs * w + 9 * w * w + 4 * w * w + 2 * (w + w + 4 * w)

    expected = {"stem": 3 * 49 * 64 + 128}
    inputs = 64
    for i, (w, times) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        projection = 4 * inputs * w + 8 * w
        expected[f"stage{i + 1}"] = block(inputs, w) + projection + (times - 1) * block(4 * w, w)
        inputs = 4 * w
    assert {name: n for name, (n, _, _) in stages({"type": "resnet", "depth": 50}, PHOTO).items()} == expected


def test_vgg_stages_have_the_parameters_of_configuration_d():
    expected, inputs = [], 3
    for w, times in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        expected.append(sum(9 * i * w + w for i in [inputs, *[w] * (times - 1)]))
        inputs = w
    found = stages({"type": "vgg", "depth": 16}, PHOTO)
    assert [found[f"stage{i}"][0] for i in range(1, 6)] == expected
    assert found["dense"][0] == (512 * 49 + 1) * 4096 + 4097 * 4096


def test_alexnet_halves_its_filters_with_two_columns():
    weights = {name: n for name, (n, _, _) in stages({"type": "alexnet", "groups": 2}, PHOTO).items()}
    assert [weights[f"conv{i}"] for i in range(1, 6)] == [
        96 * (3 * 121 + 1),
        256 * (48 * 25 + 1),
        384 * (256 * 9 + 1),
        384 * (192 * 9 + 1),
        256 * (192 * 9 + 1),
    ]


def test_densenet_blocks_have_the_sizes_of_table_one():
    found = stages("densenet", PHOTO)
    sizes = {name: dims for name, (_, _, dims) in found.items() if name.startswith(("block", "transition"))}
    assert sizes == {
        "block1": (256, 56, 56),
        "transition1": (128, 28, 28),
        "block2": (512, 28, 28),
        "transition2": (256, 14, 14),
        "block3": (1024, 14, 14),
        "transition3": (512, 7, 7),
        "block4": (1024, 7, 7),
    }


def test_mobilenet_stages_have_the_sizes_of_table_two():
    found = stages("mobilenet", PHOTO)
    sizes = [(16, 112), (24, 56), (32, 28), (64, 14), (96, 14), (160, 7), (320, 7)]
    assert [found[f"stage{i + 1}"][2] for i in range(7)] == [(c, s, s) for c, s in sizes]


BUILT = [(model, PHOTO) for model, _ in MULTIPLY_ADDS] + [
    (with_options("alexnet", groups=2), PHOTO),
    (with_options("googlenet", batch_norm=False, large_kernel=5), PHOTO),
    (with_options("resnet", depth=18, stem="cifar", width=32), PHOTO),
    (with_options("resnet", depth=50, preactivation=True), PHOTO),
    (with_options("resnet", depth=34, residual=False), PHOTO),
    (with_options("resnet", depth=20), CIFAR),
    (with_options("resnet", depth=56, shortcut="B", preactivation=True), CIFAR),
    (with_options("densenet", depth=121, growth_rate=12, stem="cifar"), CIFAR),
    (with_options("vgg", depth=13, pool_size=1, hidden=512, batch_norm=True), CIFAR),
    (with_options("unet"), SCAN),
    (with_options("unet", upsampling="upsample", norm="batch_norm"), SCAN),
]


@pytest.mark.parametrize(("model", "x"), BUILT, ids=str)
def test_cost_and_shape_are_torchs_layer_by_layer(model, x):
    tree, network = on_meta(model, x)
    with FlopCounterMode(display=False, depth=None) as counter:
        output = network(torch.empty(1, *x.dims, device="meta"))
    assert tuple(output.shape[1:]) == tree.shape(x).dims
    flops = {path.partition(".")[2]: sum(ops.values()) for path, ops in counter.get_flop_counts().items()}
    counted = 0
    for path, layer, inner in walk(tree, x):
        cost, module = layer.cost(inner), network.get_submodule(path)
        assert cost.parameters == sum(p.numel() for p in module.parameters()), path
        assert 2 * cost.macs == flops.get(path, 0), path
        counted += cost.macs if not layer.children(inner) else 0
    assert 2 * counted == counter.get_total_flops()
