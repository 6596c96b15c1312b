"""Errors of layers: what does not fit, where it is, and which name was meant."""

import pytest
from layer_inputs import TABLE, built

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.tensors import TensorSpec


@pytest.mark.parametrize(
    ("spec", "x", "message"),
    [
        ({"conv": {"channels": 1, "kernel": 7}}, TensorSpec((1, 5, 5), "CHW"), "kernel 7 does not fit a 5×5 input"),
        (
            {"conv": {"channels": 1, "kernel": [9, 1], "padding": [1, 0]}},
            TensorSpec((1, 5, 4), "CHW"),
            "kernel 9×1 does not fit a 5×4 input (7×4 with its padding)",
        ),
        ({"max_pool": 4}, TensorSpec((1, 3), "CL"), "kernel 4 does not fit a 3 input"),
        ({"avg_pool": {"kernel": 2, "padding": 2}}, TensorSpec((1, 8, 8), "CHW"), "more than half of kernel 2×2"),
        ({"conv": {"channels": 3, "kernel": 1, "groups": 2}}, TensorSpec((4, 5, 5), "CHW"), "groups 2 does not divide"),
        (
            {"conv": {"channels": 3, "kernel": 4, "padding": "same"}},
            TensorSpec((4, 5, 5), "CHW"),
            "needs an odd kernel",
        ),
        ({"conv": {"channels": 3, "kernel": [1, 2, 3]}}, TensorSpec((4, 5, 5), "CHW"), "kernel has 3 entries"),
        ({"linear": 3}, TABLE, "numeric, categorical"),
        ("relu", TensorSpec((6,), "T", "int64", (5,)), "codes"),
        ({"field": "age"}, TABLE, "no field 'age'; there are numeric, categorical"),
        ({"reshape": [5, -1]}, TensorSpec((16,), "F"), "16 elements"),
        ({"pad": {"padding": 5, "mode": "reflect"}}, TensorSpec((1, 5, 9), "CHW"), "too small"),
        ("flatten", TensorSpec((None, 3), "TF"), "every dimension"),
        ({"group_norm": 3}, TensorSpec((4, 5, 5), "CHW"), "3 groups do not divide 4"),
        ({"maxout": 3}, TensorSpec((16,), "F"), "3 pieces do not divide 16"),
        ({"columns": {}}, TensorSpec((4,), "F"), "statistics"),
        ({"connected_conv": {"table": [[0], [4]], "kernel": 1}}, TensorSpec((4, 5, 5), "CHW"), "output channel 1"),
    ],
)
def test_a_shape_error_says_what_does_not_fit(spec, x, message):
    with pytest.raises(ShapeError) as error:
        Layer.model_validate(spec).shape(x)
    assert message in str(error.value)


BAD = {"conv": {"channels": 1, "kernel": 9}}


@pytest.mark.parametrize(
    ("spec", "loc"),
    [
        (["relu", BAD], ("layers", 1)),
        ([{"repeat": {"times": 2, "layer": ["relu", BAD]}}], ("layers", 0, "layer", "layers", 1)),
        ({"residual": {"layers": ["relu", [BAD]]}}, ("layers", 1, "layers", 0)),
        ({"residual": {"layers": ["relu"], "shortcut": BAD}}, ("shortcut",)),
        ({"residual": {"layers": ["relu"], "then": ["relu", BAD]}}, ("then", "layers", 1)),
        ({"branches": {"of": ["relu", ["relu", BAD]]}}, ("of", 1, "layers", 1)),
        ({"branches": {"join": "sum", "of": ["relu", {"max_pool": 2}]}}, ("of", 1)),
        ([{"a": "relu"}, {"a": "tanh"}], ("layers",)),
    ],
    ids=str,
)
def test_a_shape_error_points_to_the_layer(spec, loc):
    with pytest.raises(ShapeError) as error:
        Layer.model_validate(spec).shape(TensorSpec((1, 6, 6), "CHW"))
    assert error.value.loc == loc


@pytest.mark.parametrize(
    ("spec", "unknown"),
    [
        ({"stem": {"liner": 3}}, "liner"),
        ({"linaer": {"features": 3}}, "linaer"),
        ({"cnv": {"channels": 6, "kernel": 3}}, "cnv"),
        ({"stem": ["relu", {"stem2": "rellu"}]}, "rellu"),
    ],
)
def test_the_layer_that_does_not_exist_is_named(spec, unknown):
    with pytest.raises(ValueError, match=f"unknown layer '{unknown}'"):
        Layer.model_validate(spec)


@pytest.mark.parametrize("name", ["a.b", "0", "", "a b"])
def test_a_node_name_must_be_a_word(name):
    with pytest.raises(ValueError, match="pattern"):
        Layer.model_validate({"type": "relu", "name": name})


def test_names_are_in_the_state_dict():
    x = TensorSpec((3,), "F")
    module = built([{"stem": {"linear": 4}}, {"residual": {"layers": [{"inner": {"linear": 5}}]}}], x)
    assert set(module.state_dict()) == {
        f"{path}.{kind}" for path in ("stem", "1.layers.inner", "1.shortcut") for kind in ("weight", "bias")
    }
