"""LeNet-5, held against the paper of 1998."""

import math

import pytest
import torch

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.models import Model
from dlx.tensors import TensorSpec

FLAT = TensorSpec((7,), "F")
IMAGE = TensorSpec((1, 28, 28), "CHW")
LENET_1998 = {
    "type": "lenet5",
    "pooling": "subsample",
    "connections": 1998,
    "output": "rbf",
    "activation": [{"scale": 0.6667}, "tanh", {"scale": 1.7159}],
}


def tree_of(spelling: object, x: object) -> Layer:
    return Model.model_validate(spelling).tree(x)


def types_in(tree: Layer) -> list[str]:
    return [layer.type for layer in tree.layers]


# Table I of the paper: which maps of S2 (rows) each map of C3 (columns) sees
TABLE_I = """
X...XXX..XXXX.XX
XX...XXX..XXXX.X
XXX...XXX..X.XXX
.XXX..XXXX..X.XX
..XXX..XXXX.XX.X
...XXX..XXXX.XXX
"""


def parameters_of(model: object) -> dict[str, int]:
    module = tree_of(model, IMAGE).build(IMAGE)
    counts = {name: sum(p.numel() for p in child.parameters()) for name, child in module.named_children()}
    return {name: count for name, count in counts.items() if not name.isdigit()}


def test_lenet5_of_1998_has_the_papers_parameters() -> None:
    paper = {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48_120, "f6": 10_164, "output": 0}
    assert parameters_of(LENET_1998) == paper
    assert tree_of(LENET_1998, IMAGE).cost(IMAGE).parameters == 60_000


def test_lenet5_of_1998_sees_the_maps_of_table_one() -> None:
    rows = TABLE_I.split()
    expected = tuple(tuple(i for i in range(6) if rows[i][c] == "X") for c in range(16))
    (third,) = [layer for layer in tree_of(LENET_1998, IMAGE).layers if layer.name == "c3"]
    assert third.table == expected


def test_lenet5_of_today_has_61706_parameters_with_a_head_for_ten_classes() -> None:
    tree = Layer.model_validate([tree_of("lenet5", IMAGE), {"linear": 10}])
    assert tree.cost(IMAGE).parameters == 61_706
    assert tree.cost(IMAGE).macs == 6 * 25 * 28**2 + 16 * 150 * 10**2 + 400 * 120 + 120 * 84 + 84 * 10


@pytest.mark.parametrize(("pooling", "layer"), [("max", "max_pool"), ("avg", "avg_pool"), ("subsample", "subsample")])
def test_lenet5_pools_as_it_is_told(pooling: str, layer: str) -> None:
    tree = tree_of({"type": "lenet5", "pooling": pooling}, IMAGE)
    assert types_in(tree).count(layer) == 2
    assert types_in(tree).count("relu") == (6 if pooling == "subsample" else 4)


def test_lenet5_has_a_head_only_with_rbf() -> None:
    assert not Model.model_validate("lenet5").has_head
    assert Model.model_validate(LENET_1998).has_head
    assert tree_of(LENET_1998, IMAGE).shape(IMAGE).dims == (10,)


def test_lenet5_prototypes_are_ten_different_bitmaps_and_a_drawn_digit_is_its_own_class() -> None:
    output = tree_of(LENET_1998, IMAGE).layers[-1]
    module = output.build(TensorSpec((84,), "F"))
    bitmaps = torch.tensor(output.prototypes)
    assert bitmaps.shape == (10, 7 * 12) and bitmaps.abs().eq(1).all()
    distances = module(bitmaps)
    assert distances.argmax(1).tolist() == list(range(10))
    assert distances.fill_diagonal_(-math.inf).max() <= -4 * 5  # any two differ in at least five dots


@pytest.mark.parametrize("side", [8, 16, 28, 32, 40])
def test_lenet5_takes_images_of_any_size(side: int) -> None:
    x = TensorSpec((3, side, side), "CHW")
    tree = tree_of("lenet5", x)
    assert tree.build(x)(torch.randn(2, 3, side, side)).shape == (2, 84)
    with pytest.raises(ShapeError, match="CHW"):
        tree_of("lenet5", FLAT)
