"""Every initializer: its documentation is true, and it fills all weights."""

import pytest
import torch
from kit import example

from dlx.component import types
from dlx.initializers import Initializer

FAN_IN, FAN_OUT, GAIN = 300, 200, 1.7
TYPES = types("initializers")


def filled(spec, shape=(FAN_OUT, FAN_IN), gain=GAIN):
    torch.manual_seed(0)
    weight = torch.full(shape, torch.nan)
    Initializer.model_validate(spec).fill(weight, gain)
    return weight


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    made = Initializer.model_validate(example("initializers", name))
    assert made.type == name
    assert Initializer.model_validate(made.model_dump(mode="json", serialize_as_any=True)) == made


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("shape", [(20, 30), (8, 4, 3), (8, 4, 3, 3), (4, 2, 3, 3, 3)])
def test_every_weight_is_overwritten_with_a_finite_number(name, shape):
    assert torch.isfinite(filled(example("initializers", name), shape)).all()


@pytest.mark.parametrize("name", TYPES)
def test_gain_enters_exactly_where_it_is_declared(name):
    plain, scaled = filled(example("initializers", name), gain=1.0), filled(example("initializers", name), gain=2.0)
    expected = 2 * plain if Initializer.model_validate(example("initializers", name)).uses_gain else plain
    assert torch.allclose(scaled, expected)
