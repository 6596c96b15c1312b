"""What flows beside x: named values in scope, masks, and the state of stepwise decoding."""

import pytest
import torch
from layer_inputs import built
from torch import nn

from dlx.errors import ShapeError
from dlx.layers import Layer, infer_shape, propagate, require_context, walk
from dlx.nn.context import Cache, apply, make_sequential
from dlx.tensors import TensorSpec, context_of, with_context

TIME = TensorSpec((3,), "F")
X = TensorSpec((5, 4), "TF", context={"time": TIME})
RECORD = {"source": TensorSpec((7, 4), "TF"), "target": TensorSpec((5, 4), "TF")}


class Reader(nn.Module):
    """Adds a named value of the context."""

    takes_context = True

    def __init__(self, key="time"):
        super().__init__()
        self.key = key

    def forward(self, x, context=None):
        return x + context[self.key]


def test_the_context_is_no_part_of_what_a_tensor_is():
    assert TensorSpec((5, 4), "TF") == X and hash(X) == hash(TensorSpec((5, 4), "TF"))
    assert "context" not in repr(X)


@pytest.mark.parametrize(
    "spec",
    [
        {"linear": 3},
        [{"linear": 3}, "relu"],
        {"repeat": {"times": 2, "layer": {"linear": 4}}},
        {"residual": {"layers": [{"linear": 6}], "then": "relu"}},
        {"branches": [{"linear": 3}, {"linear": 2}]},
        {"provide": {"key": "other", "layers": [{"linear": 2}], "then": ["relu"]}},
    ],
    ids=str,
)
def test_the_context_flows_through_every_layer_and_no_further_than_its_scope(spec):
    layer = Layer.model_validate(spec)
    assert context_of(infer_shape((), layer, X)) == {"time": TIME}
    inner = [x for _, part, x in walk(layer, X) if not part.children(x)]
    assert all(context_of(x)["time"] == TIME for x in inner)


def test_a_record_carries_the_context_in_each_field():
    x = with_context(RECORD, {"time": TIME})
    assert context_of(x) == {"time": TIME}
    assert context_of(infer_shape((), Layer.model_validate({"field": "target"}), x)) == {"time": TIME}


def test_a_missing_value_is_named_with_what_there_is():
    assert require_context(X, "time", "film") is TIME
    with pytest.raises(ShapeError, match="film reads 'label', which nothing provides here; in scope are time"):
        require_context(X, "label", "film")
    with pytest.raises(ShapeError, match="nothing is in scope"):
        require_context(RECORD, "label", "film")


def test_a_plain_network_is_torchs_own_sequential():
    assert type(built([{"linear": 3}, ["relu"]], X)) is nn.Sequential
    assert type(built({"repeat": {"times": 2, "layer": "relu"}}, X)) is nn.Sequential
    assert not built({"residual": ["relu"]}, X).takes_context
    assert not built({"branches": ["relu", "tanh"]}, X).takes_context


def test_containers_hand_the_context_to_those_that_take_it():
    from dlx.layers.branches.module import ParallelBranches
    from dlx.layers.residual.module import ResidualSum

    x, context = torch.ones(2, 3), {"time": torch.tensor(10.0)}
    sequence = make_sequential({"a": nn.Identity(), "b": Reader()})
    assert list(dict(sequence.named_children())) == ["a", "b"]
    assert apply(sequence, x, context).eq(11).all()
    assert apply(make_sequential({"inner": sequence, "c": Reader()}), x, context).eq(21).all()
    residual = ResidualSum({"0": Reader()}, shortcut=Reader(), then=Reader())
    assert apply(residual, x, context).eq(32).all()
    assert apply(ParallelBranches({"a": nn.Identity(), "b": Reader()}, "sum", 1), x, context).eq(12).all()
    assert apply(nn.Identity(), x, context) is x


def test_provide_puts_its_value_in_scope_of_then_alone():
    layer = Layer.model_validate({"provide": {"key": "memory", "layers": [{"linear": 2}], "then": [{"linear": 6}]}})
    (_, _, outer), *parts = walk(layer, X)
    seen = {path: context_of(x) for path, _, x in parts}
    assert "memory" not in outer.context and "memory" not in seen["layers.0"]
    assert seen["then.0"]["memory"].dims == (5, 2)


def test_provide_reads_each_field_with_its_own_mask():
    lists = {"layers": [{"field": "source"}, {"linear": 2}], "then": [{"field": "target"}, {"linear": 6}]}
    layer = Layer.model_validate({"provide": {"key": "memory", **lists}})
    masks = {"mask": TensorSpec((5,), "T", "bool"), "memory_mask": TensorSpec((7,), "T", "bool")}
    seen = {path: context_of(x) for path, _, x in walk(layer, with_context(RECORD, masks))}
    assert seen["layers.1"]["mask"].dims == (7,)
    assert seen["then.1"]["mask"].dims == (5,) and seen["then.1"]["memory_mask"].dims == (7,)
    assert layer.shape(RECORD).dims == (5, 6)


def test_provide_computes_what_its_parts_compute():
    from dlx.layers.provide.module import ContextProvider

    module = ContextProvider("memory", {"0": nn.Linear(4, 4)}, {"0": Reader("memory"), "1": Reader("memory")}, False)
    x = torch.randn(2, 5, 4)
    assert torch.equal(module(x), x + module.layers[0](x) + module.layers[0](x))
    context = {"mask": torch.tensor([[True], [False]])}
    inner = ContextProvider("memory", {"0": nn.Identity()}, {"0": Reader("memory_mask")}, False)
    assert torch.equal(inner(torch.zeros(2, 1), context), torch.tensor([[1.0], [0.0]]))
    assert "memory" not in context


def test_provide_makes_a_source_once_and_a_step_each_time():
    from dlx.layers.provide.module import ContextProvider

    for each_step, expected in ((False, 3.0), (True, 4.0)):
        module = ContextProvider("memory", {"0": nn.Identity()}, {"0": Reader("memory")}, each_step)
        context = {"cache": Cache()}
        module(torch.ones(1, 1), context)
        assert module(torch.full((1, 1), 2.0), context).item() == expected


def test_the_mask_layer_zeroes_padding_and_nothing_else():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    for spec, dims in ((TensorSpec((3, 4), "TF"), (2, 3, 4)), (TensorSpec((4, 3), "CL"), (2, 4, 3))):
        x = torch.randn(dims)
        y = apply(built("mask", spec), x, {"mask": mask})
        real = (mask.unsqueeze(-1) if spec.axes == "TF" else mask.unsqueeze(1)).expand_as(x)
        assert torch.equal(y[real], x[real]) and y[~real].eq(0).all()
        assert torch.equal(built("mask", spec)(x), x)


def test_a_cache_keeps_a_state_for_each_module_and_reorders_all():
    cache, a, b = Cache(), nn.Linear(1, 1), nn.Linear(1, 1)
    cache.of(a)["h"] = torch.tensor([1.0, 2.0])
    cache.of(b)["h"] = torch.tensor([[3.0], [4.0]])
    cache.advance(3)
    cache.reorder(torch.tensor([1, 1]))
    assert cache.length == 3
    assert cache.of(a)["h"].tolist() == [2, 2] and cache.of(b)["h"].tolist() == [[4], [4]]


def test_an_error_inside_provide_points_to_the_layer():
    bad = {"conv": {"channels": 1, "kernel": 3}}
    for field, lists in (("layers", ([bad], ["relu"])), ("then", (["relu"], ["relu", bad]))):
        layer = Layer.model_validate({"provide": {"key": "m", "layers": lists[0], "then": lists[1]}})
        with pytest.raises(ShapeError) as error:
            propagate([layer], X, "layers")
        assert error.value.loc == ("layers", 0, field, len(dict(layer)[field]) - 1)


@pytest.mark.parametrize("name", ["global_pool", "batch_norm", {"group_norm": 2}, "instance_norm"], ids=str)
def test_what_knows_nothing_of_padding_takes_no_padded_sequence(name):
    layer = Layer.model_validate(name)
    padded = {"mask": TensorSpec((5,), "T", "bool")}
    for axes in ("TF", "CL"):
        x = TensorSpec((5, 4) if axes == "TF" else (4, 5), axes)
        with pytest.raises(ShapeError, match=r"takes axes|would mix the padding"):
            layer.shape(x.replace(context=padded))
    assert layer.shape(TensorSpec((4, 5), "CL"))


def test_a_field_of_a_record_brings_its_own_mask_as_far_as_its_list_goes():
    record = {"a": TensorSpec((None, 4), "TF"), "b": TensorSpec((None, 4), "TF")}
    masks = {"a_mask": TensorSpec((None,), "T", "bool"), "b_mask": TensorSpec((None,), "T", "bool")}
    layer = Layer.model_validate(
        {"branches": [[{"first": [{"field": "a"}]}, {"time_pool": "mean"}], [{"field": "b"}, {"time_pool": "max"}]]}
    )
    seen = {path: context_of(x) for path, _, x in walk(layer, with_context(record, masks))}
    assert seen["0.1"]["mask"] is masks["a_mask"] and seen["1.1"]["mask"] is masks["b_mask"]
    assert "mask" not in seen["0.first"] and "mask" not in seen[""]
    module = layer.build(with_context(record, masks))
    x = {name: torch.arange(24.0).reshape(2, 3, 4) for name in "ab"}
    real = {
        "a_mask": torch.tensor([[1, 1, 0], [1, 1, 1]]).bool(),
        "b_mask": torch.tensor([[1, 0, 0], [1, 1, 1]]).bool(),
    }
    y = apply(module, x, real)
    assert torch.equal(y[0], torch.cat([x["a"][0, :2].mean(0), x["b"][0, 0]]))
    assert torch.equal(y[1], torch.cat([x["a"][1].mean(0), x["b"][1, 2]]))
