"""Every transform does to a batch what it says to the plan."""

import pickle

import numpy as np
import pytest
import torch
from kit import example
from transform_inputs import described, features, images, transform

from dlx.component import types
from dlx.errors import ShapeError
from dlx.tensors import TensorSpec

TYPES = types("transforms")


def inputs():
    """Return batches of every kind that a transform may meet, each with its spec."""
    codes = torch.tensor([[0, 3], [2, 1], [1, 0]])
    color = images(size=(40, 48))
    return [
        *((batch, described(batch, "CHW")) for batch in (color, color[:, :1], color / 255)),
        (features(), described(features(), "F")),
        (features().reshape(16, 4, 5), described(features().reshape(16, 4, 5), "TF")),
        (features()[:, 0], described(features()[:, 0], "")),
        (codes, TensorSpec((2,), "F", "int64", vocab=(3, 4), names=("a", "b"))),
        (codes, TensorSpec((2,), "T", "int64", vocab=(4,))),
        (codes[:, 0], TensorSpec((), "", "int64", vocab=(3,))),
    ]


def accepted(name):
    """Return the transform of a leaf's example with each (batch, spec) that it does not refuse."""
    leaf = transform(example("transforms", name))
    pairs = []
    for batch, x in inputs():
        try:
            leaf.spec(x)
        except ShapeError:
            continue
        pairs.append((batch, x))
    return leaf, pairs


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    leaf = transform(example("transforms", name))
    assert leaf.type == name
    assert transform(leaf.model_dump(mode="json", serialize_as_any=True)) == leaf


@pytest.mark.parametrize("name", TYPES)
def test_what_comes_out_is_what_the_spec_says(name):
    leaf, pairs = accepted(name)
    assert pairs, f"{name} accepts no kind of input"
    for batch, x in pairs:
        before = batch.clone()
        y, out = leaf.spec(x), leaf.build(x)(batch)
        assert tuple(out.shape) == (len(batch), *y.dims), x
        assert str(out.dtype) == f"torch.{y.dtype}", x
        assert out.isfinite().all(), x
        assert torch.equal(batch, before), "the input was changed in place"


@pytest.mark.parametrize("name", TYPES)
def test_statistics_bound_what_comes_out(name):
    leaf, pairs = accepted(name)
    for batch, x in pairs:
        y, out = leaf.spec(x), leaf.build(x)(batch)
        if y.stats is None or not y.stats.low:
            continue
        truth = described(out, y.axes).stats
        assert len(truth.low) == len(y.stats.low) == len(y.stats.high)
        assert np.all(np.array(truth.low) >= np.array(y.stats.low) - 1e-3), x
        assert np.all(np.array(truth.high) <= np.array(y.stats.high) + 1e-3), x


@pytest.mark.parametrize("name", TYPES)
def test_survives_being_sent_to_a_worker(name):
    leaf, pairs = accepted(name)
    batch, x = pairs[0]
    function = leaf.build(x)
    assert torch.equal(pickle.loads(pickle.dumps(function))(batch), function(batch))


@pytest.mark.parametrize("name", TYPES)
def test_what_says_that_it_can_be_undone_is_undone(name):
    leaf, pairs = accepted(name)
    for batch, x in pairs:
        undo = leaf.build_inverse(x)
        if undo is not None:
            again = undo(leaf.build(x)(batch)).float()
            assert torch.allclose(again, batch.float(), rtol=1e-4, atol=1e-3), x


def test_what_can_be_undone():
    x = described(features(), "F")
    assert {name for name in TYPES if transform(example("transforms", name)).build_inverse(x) is not None} >= {
        "normalize",
        "scale",
        "flatten",
    }
    assert transform({"scale": {"factor": 0.0}}).build_inverse(x) is None
