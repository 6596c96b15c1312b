"""A padding mask is in scope as long as the steps are there that it is of, in a plan and in a network."""

import pytest
import torch
from kit import example

from dlx.component import types
from dlx.errors import ShapeError
from dlx.layers import Layer, infer_shape
from dlx.nn.context import apply
from dlx.tensors import TensorSpec, context_of

MASK = {"mask": TensorSpec((None,), "T", "bool")}
X = TensorSpec((None, 8), "TF", context=MASK)
LENGTHS = (6, 4, 1)
AGAIN = [{"reshape": [4, 2]}, {"attention": {"num_heads": 2}}, "global_pool"]
"""Other steps than those that were padded, of which every layer sees all."""
ENDS = {
    "pool": [{"time_pool": "mean"}, *AGAIN],
    "last state": [{"gru": {"hidden": 8, "output": "last"}}, *AGAIN],
    "one step": [{"select_step": 0}, *AGAIN],
    "in a list": [[{"linear": 8}, ["time_pool"]], *AGAIN],
    "in a repetition": [{"repeat": {"times": 1, "layer": "time_pool"}}, *AGAIN],
    "in branches": [{"branches": {"of": ["time_pool", [{"time_pool": "max"}]], "join": "sum"}}, *AGAIN],
    "in a residual": [{"residual": {"layers": [{"time_pool": "max"}], "shortcut": "time_pool"}}, *AGAIN],
    "before the end of a residual": [
        {"residual": {"layers": [{"time_pool": "max"}], "shortcut": "time_pool", "then": AGAIN}}
    ],
    "in a value": [
        {
            "provide": {
                "key": "memory",
                "layers": ["time_pool", {"reshape": [4, 2]}],
                "then": [{"attention": {"num_heads": 2, "memory": "memory"}}, "time_pool"],
            }
        }
    ],
    "behind a value": [{"provide": {"key": "memory", "layers": [{"linear": 4}], "then": ["time_pool"]}}, *AGAIN],
}


@pytest.mark.parametrize("name", ENDS)
def test_padding_changes_nothing_behind_the_steps_that_were_padded(name):
    torch.manual_seed(0)
    module = Layer.model_validate(ENDS[name]).build(X).eval()
    batch, mask = torch.randn(len(LENGTHS), 6, 8), torch.arange(6) < torch.tensor(LENGTHS)[:, None]
    together = apply(module, batch, {"mask": mask})
    for i, length in enumerate(LENGTHS):
        alone = apply(module, batch[i : i + 1, :length], {"mask": mask[i : i + 1, :length]})
        torch.testing.assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize("name", types("layers"))
@pytest.mark.parametrize("x", [X, TensorSpec((8, None), "CL", context=MASK)], ids=["TF", "CL"])
def test_the_mask_goes_on_where_there_is_a_step_for_each_step(name, x):
    layer = Layer.model_validate(example("layers", name))
    try:
        y = infer_shape((), layer, x)
        longer = layer.shape(x.replace(dims=tuple(40 if d is None else d for d in x.dims)))
    except ShapeError:
        return  # it takes no padded sequence
    assert ("mask" in context_of(y)) == (40 in longer.dims)


@pytest.mark.parametrize(
    ("layer", "stays"),
    [
        ({"conv": {"channels": 8, "kernel": 3, "padding": "same"}}, True),
        ({"conv": {"channels": 8, "kernel": 3, "padding": "same", "stride": 2}}, False),
        ({"conv": {"channels": 8, "kernel": 3}}, False),
        ({"max_pool": 2}, False),
        ({"max_pool": {"kernel": 3, "stride": 1, "padding": "same"}}, True),
        ({"upsample": 2}, False),
        ({"pad": 1}, False),
        ({"residual": [{"conv": {"channels": 8, "kernel": 3, "padding": "same", "stride": 2}}]}, False),
    ],
    ids=str,
)
def test_a_stride_ends_the_mask_though_no_length_is_known(layer, stays):
    y = infer_shape((), Layer.model_validate(layer), TensorSpec((8, None), "CL", context=MASK))
    assert ("mask" in context_of(y)) == stays


def test_what_reads_padding_is_refused_only_while_there_is_some():
    with pytest.raises(ShapeError, match="would mix the padding"):
        infer_shape((), Layer.model_validate([{"linear": 8}, "global_pool"]), X)
    assert infer_shape((), Layer.model_validate(["time_pool", {"reshape": [4, 2]}, "global_pool"]), X).dims == (2,)
