"""Residual connections, branches and repetition."""

import pytest
import torch
from layer_inputs import built, sample

from dlx.layers import Layer
from dlx.tensors import TensorSpec


def test_residual_adds_the_branch_to_the_shortcut():
    x, features = TensorSpec((4,), "F"), torch.randn(3, 4)
    module = built({"residual": {"layers": [{"linear": 4}], "then": "relu"}}, x)
    assert torch.allclose(module(features), torch.relu(features + module.layers(features)))
    module = built({"residual": {"layers": [{"linear": 6}]}}, x)
    assert torch.allclose(module(features), module.shortcut(features) + module.layers(features))


def test_residual_projects_by_a_strided_convolution_with_a_norm():
    x = TensorSpec((3, 7, 8), "CHW")
    conv = {"conv": {"channels": 5, "kernel": 3, "stride": 2, "padding": "same"}}
    layer = Layer.model_validate({"residual": {"layers": [conv], "shortcut_norm": "batch_norm"}})
    shortcut = layer.build(x).shortcut
    assert layer.shape(x).dims == (5, 4, 4)
    assert shortcut[0].stride == (2, 2)
    assert shortcut[0].bias is None
    assert shortcut[1].num_features == 5


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    x = TensorSpec((8,), "F")
    module = built({"residual": {"layers": [{"scale": 1.0}], "shortcut": {"scale": 0.0}, "drop_path": 0.25}}, x)
    ones = torch.ones(4000, 8)
    y = module(ones)
    assert ((y == 0).all(1) | torch.isclose(y, torch.tensor(1 / 0.75)).all(1)).all()
    assert y.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(module.eval()(ones), ones)


@pytest.mark.parametrize(("join", "combine"), [("concat", torch.cat), ("sum", sum), ("product", lambda p: p[0] * p[1])])
@pytest.mark.parametrize("x", [TensorSpec((4, 5, 5), "CHW"), TensorSpec((5, 4), "TF")], ids=lambda x: x.axes)
def test_branches_join(join, combine, x):
    inputs = sample(x)
    parts = [torch.relu(inputs), torch.tanh(inputs)]
    axis = 1 if x.axes == "CHW" else 2
    expected = torch.cat(parts, axis) if combine is torch.cat else combine(parts)
    assert torch.allclose(built({"branches": {"join": join, "of": ["relu", "tanh"]}}, x)(inputs), expected)


def test_branches_read_fields_of_a_record():
    x = {"a": TensorSpec((3,), "F"), "b": TensorSpec((4, 2), "TF")}
    layer = Layer.model_validate({"branches": {"of": [{"field": "a"}, [{"field": "b"}, "global_pool"]]}})
    inputs = sample(x)
    assert layer.shape(x).dims == (5,)
    assert torch.allclose(layer.build(x)(inputs), torch.cat([inputs["a"], inputs["b"].mean(1)], 1))


def test_repetitions_have_their_own_weights():
    module = built({"repeat": {"times": 3, "layer": {"linear": 4}}}, TensorSpec((4,), "F"))
    assert len({p.data_ptr() for p in module.parameters()}) == 6
