"""Convolutional architectures: the published parameters and multiply-adds, stage by stage, and torch's own count."""

import functools
import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dlx.errors import ShapeError
from dlx.layers import Layer, walk
from dlx.models import Model, initialize
from dlx.tensors import TensorSpec

PHOTO = TensorSpec((3, 224, 224), "CHW")
CIFAR = TensorSpec((3, 32, 32), "CHW")
SCAN = TensorSpec((1, 128, 128), "CHW")
CLASSES = {PHOTO: 1000, CIFAR: 10, SCAN: 2}


def with_head(model, x):
    """The tree of a model with what classification (or, on a scan, segmentation) puts behind it."""
    body = Model.model_validate(model).tree(x)
    if x == SCAN:
        return Layer.model_validate([*body.layers, {"conv": {"channels": 2, "kernel": 1}}])
    pool = [] if body.shape(x).axes == "F" else ["global_pool"]
    return Layer.model_validate([*body.layers, *pool, {"linear": CLASSES[x]}])


@functools.cache
def on_meta(model, x):
    """The network on torch's meta device, where nothing is computed: (its tree, itself)."""
    tree = with_head(dict(model), x)
    with torch.device("meta"):
        return tree, tree.build(x).eval()


def named(name, **options):
    return tuple({"type": name, **options}.items())


# ---- published figures --------------------------------------------------------------------------------------------

# Parameters with 1,000 classes: the papers where they state them to the digit, else the reference implementations.
PARAMETERS = [
    (named("alexnet"), 61_100_840),
    (named("alexnet", groups=2), 60_965_224),
    (named("vgg", depth=11), 132_863_336),
    (named("vgg", depth=13), 133_047_848),
    (named("vgg", depth=16), 138_357_544),
    (named("vgg", depth=19), 143_667_240),
    (named("vgg", depth=16, batch_norm=True), 138_365_992),
    (named("googlenet"), 6_624_904),
    (named("googlenet", batch_norm=False, large_kernel=5), 6_998_552),
    (named("resnet", depth=18), 11_689_512),
    (named("resnet", depth=34), 21_797_672),
    (named("resnet", depth=50), 25_557_032),
    (named("resnet", depth=101), 44_549_160),
    (named("resnet", depth=152), 60_192_808),
    (named("densenet", depth=121), 7_978_856),
    (named("densenet", depth=161), 28_681_000),
    (named("densenet", depth=169), 14_149_480),
    (named("densenet", depth=201), 20_013_928),
    (named("mobilenet", version=1), 4_231_976),
    (named("mobilenet", version=2), 3_504_872),
    (named("mobilenet", version=2, width_mult=0.5), 1_968_680),
    (named("convnext", size="tiny"), 28_589_128),
    (named("convnext", size="small"), 50_223_688),
    (named("convnext", size="base"), 88_591_464),
]

# Multiply-adds of one 224 × 224 image in units of 10⁹, as the papers and model cards state them ("FLOPs" there).
MULTIPLY_ADDS = [
    (named("alexnet"), 0.714),
    (named("vgg", depth=16), 15.47),
    (named("googlenet"), 1.50),
    (named("resnet", depth=18), 1.81),
    (named("resnet", depth=50), 4.09),
    (named("resnet", depth=152), 11.51),
    (named("densenet", depth=121), 2.83),
    (named("mobilenet", version=1), 0.569),
    (named("mobilenet", version=2), 0.301),
    (named("convnext", size="tiny"), 4.46),
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


# ---- stage by stage -----------------------------------------------------------------------------------------------


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


# ---- torch's own count --------------------------------------------------------------------------------------------

BUILT = [(model, PHOTO) for model, _ in MULTIPLY_ADDS] + [
    (named("alexnet", groups=2), PHOTO),
    (named("googlenet", batch_norm=False, large_kernel=5), PHOTO),
    (named("resnet", depth=18, stem="cifar", width=32), PHOTO),
    (named("resnet", depth=50, preactivation=True), PHOTO),
    (named("resnet", depth=34, residual=False), PHOTO),
    (named("resnet", depth=20), CIFAR),
    (named("resnet", depth=56, shortcut="B", preactivation=True), CIFAR),
    (named("densenet", depth=121, growth_rate=12, stem="cifar"), CIFAR),
    (named("vgg", depth=13, pool_size=1, hidden=512, batch_norm=True), CIFAR),
    (named("unet"), SCAN),
    (named("unet", upsampling="upsample", norm="batch_norm"), SCAN),
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


# ---- options ------------------------------------------------------------------------------------------------------


def kinds(tree, x):
    return [layer.type for _, layer, _ in walk(tree, x)]


def test_a_plain_network_is_the_residual_one_without_its_sums():
    trees = [Model.model_validate({"type": "resnet", "depth": 20, "residual": s}).tree(CIFAR) for s in (True, False)]
    sums = ("residual", "pad_channels", "avg_pool", "sequential", "repeat")
    residual, plain = ([kind for kind in kinds(tree, CIFAR) if kind not in sums] for tree in trees)
    assert residual == plain
    assert kinds(trees[0], CIFAR).count("residual") == 9 and "residual" not in kinds(trees[1], CIFAR)


@pytest.mark.parametrize("depth", [20, 18, 50])
def test_zero_init_makes_each_residual_block_begin_as_its_shortcut(depth):
    torch.manual_seed(0)
    model = Model.model_validate(
        {"type": "resnet", "depth": depth, "width": 8, "stem": "cifar", "zero_init_residual": True}
    )
    x = TensorSpec((3, 8, 8), "CHW")
    tree = model.tree(x)
    network = tree.build(x)
    initialize(network, tree, x, model.init)
    network(torch.randn(4, 3, 8, 8))
    seen = 0
    for path, layer, inner in walk(tree, x):
        if any(child.name == "then" for child in layer.children(inner)):
            block = network.get_submodule(path)
            inputs = torch.randn(4, *inner.dims).relu()
            past = inputs if block.shortcut is None else block.shortcut(inputs)
            torch.testing.assert_close(block(inputs), past.relu())
            seen += 1
    assert seen == {20: 9, 18: 8, 50: 16}[depth]


def test_a_preactivated_network_has_nothing_but_sums_between_its_blocks():
    """A signal put on the shortcut of an inner block leaves it unchanged, whatever its sign."""
    x = TensorSpec((16, 8, 8), "CHW")
    (stage,) = [
        layer
        for layer in Model.model_validate({"type": "resnet", "depth": 20, "preactivation": True}).tree(CIFAR).layers
        if layer.name == "stage1"
    ]
    block = stage.build(x).eval()
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    signal = torch.randn(2, *x.dims)
    assert torch.equal(block(signal), signal)


@pytest.mark.parametrize("preactivation", [False, True])
def test_branches_that_begin_as_zero_still_learn(preactivation):
    torch.manual_seed(0)
    x = TensorSpec((3, 8, 8), "CHW")
    model = Model.model_validate(
        {"type": "resnet", "depth": 8, "zero_init_residual": True, "preactivation": preactivation}
    )
    tree = model.tree(x)
    network = tree.build(x)
    initialize(network, tree, x, model.init)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    for _ in range(3):  # the first step moves the ends of the branches, the next ones what is before them
        optimizer.zero_grad()
        network(torch.randn(8, *x.dims)).square().mean().backward()
        optimizer.step()
    for path, parameter in network.named_parameters():
        assert parameter.grad.abs().sum() > 0, path


def test_a_plain_network_cannot_begin_as_zero():
    with pytest.raises(ValueError, match="needs residual"):
        Model.model_validate({"type": "resnet", "depth": 8, "zero_init_residual": True, "residual": False})


def test_shortcut_a_skips_pixels_and_adds_channels_of_zeros():
    x = TensorSpec((2, 4, 4), "CHW")
    past = Layer.model_validate([{"avg_pool": {"kernel": 1, "stride": 2}}, {"pad_channels": 5}]).build(x)
    image = torch.randn(3, 2, 4, 4)
    expected = torch.zeros(3, 5, 2, 2)
    expected[:, :2] = image[:, :, ::2, ::2]
    assert torch.equal(past(image), expected)


def test_preactivated_resnet110_has_the_parameters_of_the_plain_order():
    """Only norms move: one at the end for one in the stem's place, so that counts differ by less than a thousandth."""
    both = [with_head({"type": "resnet", "depth": 110, "preactivation": p}, CIFAR) for p in (False, True)]
    a, b = (tree.cost(CIFAR) for tree in both)
    assert a.macs == b.macs and a.parameters == pytest.approx(b.parameters, rel=1e-3)


@pytest.mark.parametrize("depth", [20, 56])
def test_zero_init_begins_near_the_loss_of_guessing(depth):
    """However deep: what each block adds to the shortcut's way is nothing at first."""
    torch.manual_seed(0)
    spelling = {"type": "resnet", "depth": depth, "zero_init_residual": True}
    tree = with_head(spelling, CIFAR)
    network = tree.build(CIFAR)
    initialize(network, tree, CIFAR, Model.model_validate(spelling).init)
    loss = torch.nn.functional.cross_entropy(network(torch.randn(16, *CIFAR.dims)), torch.arange(16) % 10)
    assert loss.item() == pytest.approx(math.log(10), abs=0.5)


def test_unet_of_the_paper_makes_388_of_572_pixels():
    x = TensorSpec((1, 572, 572), "CHW")
    tree = Model.model_validate({"type": "unet", "padding": "valid"}).tree(x)
    assert tree.shape(x).dims == (64, 388, 388)
    crops = [layer.cropping for _, layer, _ in walk(tree, x) if hasattr(layer, "cropping")]
    assert crops == [88, 40, 16, 4]  # (568 − 392) / 2 … (64 − 56) / 2 in figure 1


def test_unet_has_the_parameters_of_a_count_by_hand():
    widths = [64, 128, 256, 512, 1024]
    down = sum(9 * i * o + o + 9 * o * o + o for i, o in zip([1, *widths[:-1]], widths, strict=True))
    up = sum(4 * 2 * w * w + w + 9 * 2 * w * w + w + 9 * w * w + w for w in widths[:-1])
    assert Model.model_validate("unet").tree(SCAN).cost(SCAN).parameters == down + up == 31_030_528
    assert with_head("unet", SCAN).cost(SCAN).parameters == 31_030_528 + 2 * 65


def test_unet_hands_fine_maps_across():
    """With a dead way down the output still tells where a pixel was."""
    x = TensorSpec((1, 8, 8), "CHW")
    network = Model.model_validate({"type": "unet", "channels": [4, 8]}).tree(x).build(x)
    image = torch.randn(1, 1, 8, 8, requires_grad=True)
    network(image)[0, :, 3, 5].sum().backward()
    assert image.grad[0, 0, 3, 5] != 0


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        ("unet", TensorSpec((1, 28, 28), "CHW"), "level 3 has 7 pixels"),
        ({"type": "unet", "padding": "valid"}, TensorSpec((1, 570, 570), "CHW"), "cannot be halved"),
        ({"resnet": 18}, TensorSpec((7,), "F"), "CHW"),
        ({"vgg": 11}, TensorSpec((1, 28, 28), "CHW"), "does not fit"),
    ],
)
def test_an_input_that_does_not_fit_is_said(model, x, message):
    with pytest.raises(ShapeError, match=message):
        Model.model_validate(model).tree(x).shape(x)


# ---- the layers that they brought ---------------------------------------------------------------------------------


def test_batch_norm_starts_where_it_is_told():
    x = TensorSpec((3, 4, 4), "CHW")
    norm = Layer.model_validate({"batch_norm": {"weight_init_value": 0.25}}).build(x)
    assert norm.weight.tolist() == [0.25] * 3 and norm.bias.tolist() == [0.0] * 3
    assert Layer.model_validate("batch_norm").build(x).weight.tolist() == [1.0] * 3


@pytest.mark.parametrize("axes", ["CL", "CHW", "CDHW"])
def test_crop_keeps_the_middle(axes):
    x = TensorSpec((2, *(8, 9, 10)[: len(axes) - 1]), axes)
    image = torch.randn(3, *x.dims)
    middle = image[:, :, 2:-2] if axes == "CL" else image[:, :, 2:-2, 2:-2]
    middle = middle[..., 2:-2] if axes == "CDHW" else middle
    assert torch.equal(Layer.model_validate({"crop": 2}).build(x)(image), middle)
    with pytest.raises(ShapeError, match="leaves nothing"):
        Layer.model_validate({"crop": 4}).shape(x)


def test_pad_channels_never_takes_channels_away():
    x = TensorSpec((6, 5), "TF")
    assert torch.equal(
        Layer.model_validate({"pad_channels": 7}).build(x)(torch.ones(2, 6, 5)).sum(2), torch.full((2, 6), 5.0)
    )
    with pytest.raises(ShapeError, match="cannot make 4 channels of 5"):
        Layer.model_validate({"pad_channels": 4}).shape(x)
