"""Options of vision models: residual connections, pre-activation, zero initialization, shortcuts, padding."""

import math

import pytest
import torch
from vision_inputs import CIFAR, PHOTO, with_head

from dlx.errors import ShapeError
from dlx.layers import Layer, walk
from dlx.models import Model, initialize
from dlx.tensors import TensorSpec


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


@pytest.mark.parametrize(("groups", "drops_first"), [(1, True), (2, False)])
def test_dropout_of_alexnet_is_where_2012_and_2014_have_it(groups, drops_first):
    """Krizhevsky 2012 drops outputs of fc6 and fc7 (section 4.2); the code of 2014 drops their inputs."""
    layers = Model.model_validate({"type": "alexnet", "groups": groups}).tree(PHOTO).layers
    names = [layer.name or layer.type for layer in layers[[layer.type for layer in layers].index("flatten") + 1 :]]
    block = ["dropout", "fc", "relu"] if drops_first else ["fc", "relu", "dropout"]
    assert names == [f"{name}{n}" if name == "fc" else name for n in (6, 7) for name in block]
