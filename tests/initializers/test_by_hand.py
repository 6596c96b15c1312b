"""Weights and biases that are set by hand."""

import pytest
import torch
from kit import build, make_plan

from dlx.errors import UsageError

RECIPE = {"task": {"classification": {"head": "none"}}, "data": {"source": {"sklearn": "iris"}}}


def linear(init, features=3):
    model = {"type": "layers", "layers": [{"linear": {"features": features, "init": {"constant": init}}}]}
    module, _ = build(make_plan({**RECIPE, "model": model}))
    return list(module.networks["network"].parameters())


def test_rows_of_weights_and_biases_stand_where_they_were_written():
    rows = [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]
    weight, bias = linear({"value": rows, "bias": [0.5, -1.5, 2.0]})
    assert weight.tolist() == rows and bias.tolist() == [0.5, -1.5, 2.0]


def test_a_number_is_that_of_all_and_biases_are_zero_unless_given():
    weight, bias = linear(0.25)
    assert torch.equal(weight, torch.full((3, 4), 0.25)) and not bias.any()


@pytest.mark.parametrize("init", [{"value": [[1.0, 2.0]]}, {"value": 1.0, "bias": [1.0, 2.0]}])
def test_rows_that_do_not_fit_are_refused(init):
    with pytest.raises(UsageError, match=r"init\.constant\.(value|bias) does not fit a parameter of 3"):
        linear(init)
