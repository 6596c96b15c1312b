"""Every layer and model is exported to .pt2 and ONNX with a free batch dimension, unless it says why it cannot be."""

from datetime import date

import onnxruntime
import pytest
import test_layers
import test_models
import torch
from kit import example
from layer_inputs import sample
from torch import nn
from torch.utils._pytree import tree_leaves

from dlx.component import types
from dlx.exporters.onnx.graph import silence_onnx
from dlx.layers import Layer, walk
from dlx.models import Model
from dlx.nn.context import apply
from dlx.tensors import context_of

EXPORTED_WITH, TRIED_WITH = 3, (2, 5)
DAYS = 48
"""The default suite exports one in so many of them, others every day; the slow suite exports all."""
UNLIKE = {"rtol": 1e-3, "atol": 1e-4}
"""How far ONNX Runtime may be from torch, whose sums have another order."""


class Network(nn.Module):
    """A network as it is exported: a function of its input and its context."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x, context):
        return apply(self.module, x, context)


def trees():
    """Yield (id, tree, input) for every layer and model, with every input that fits its example."""
    for name in types("layers"):
        layer = Layer.model_validate(example("layers", name))
        for i, x in enumerate(test_layers.CANDIDATES):
            if test_layers.worth_trying(layer, x):
                yield f"{name}-{i}", layer, x
    for name in types("models"):
        model = Model.model_validate(example("models", name))
        for what, x in test_models.INPUTS.items():
            if test_models.worth_trying(model, x):
                yield f"{name}-{what}", model.tree(x), x


TREES = [
    pytest.param(tree, x, id=name, marks=[] if i % DAYS == date.today().toordinal() % DAYS else [pytest.mark.slow])
    for i, (name, tree, x) in enumerate(trees())
]


def inputs(x, batch):
    torch.manual_seed(batch)
    return sample(x, batch), {name: sample(value, batch) for name, value in context_of(x).items()}


def free_batch(value):
    if isinstance(value, dict):
        return {name: free_batch(inner) for name, inner in value.items()}
    return {0: torch.export.Dim("batch", min=2, max=1024)}


def exported(tree, x):
    """Return the module, and what torch.export makes of it."""
    torch.manual_seed(0)
    network, arguments = Network(tree.build(x)).eval(), inputs(x, EXPORTED_WITH)
    shapes = tuple(free_batch(value) for value in arguments)
    return network, torch.export.export(network, arguments, dynamic_shapes=shapes, strict=False)


def session(program):
    """Return ONNX Runtime with a program, and the names of its inputs in order."""
    with silence_onnx():
        model = torch.onnx.export(program, dynamo=True, verbose=False).model_proto
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    names = [value.name for value in model.graph.input]
    return onnxruntime.InferenceSession(model.SerializeToString(), options), names


def refusal(tree, x, kind="export_refusal"):
    return next((why for _, layer, inner in walk(tree, x) if (why := getattr(layer, kind)(inner))), None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("tree", "x"), TREES)
def test_a_network_is_exported_with_a_free_batch_or_says_why_not(tree, x):
    if refusal(tree, x):
        with pytest.raises(Exception, match=r".+"):  # a refusal that is not needed any more is to go
            exported(tree, x)
        return
    network, program = exported(tree, x)
    for batch in TRIED_WITH:
        arguments = inputs(x, batch)
        torch.testing.assert_close(program.module()(*arguments), network(*arguments))
    if refusal(tree, x, "onnx_refusal"):
        with pytest.raises(Exception, match=r".+"):
            session(program)
        return
    graph, names = session(program)
    for batch in TRIED_WITH:
        arguments = inputs(x, batch)
        feeds = {name: value.numpy() for name, value in zip(names, tree_leaves(arguments), strict=True)}
        expected = tree_leaves(network(*arguments))
        for found, value in zip(graph.run(None, feeds), expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(found), value, **UNLIKE)


def test_a_bidirectional_layer_over_padding_says_that_it_cannot_be_exported():
    (padded,) = [x for x in test_layers.CANDIDATES if "mask" in context_of(x)]
    for name, bidirectional in (("gru", True), ("gru", False), ("lstm", True)):
        layer = Layer.model_validate([{name: {"hidden": 4, "bidirectional": bidirectional}}])
        assert (refusal(layer, padded) is not None) == bidirectional
        assert refusal(layer, padded.replace(context={})) is None
