"""What layers compute, held against independent implementations: torch, scikit-learn, formulas of the papers."""

import math

import numpy as np
import pytest
import torch
from layer_inputs import TABLE, built, sample
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.tensors import Stats, TensorSpec


def check_shape(spec, x):
    """Whether the layer accepts x; where it does, what it promises is what torch gives."""
    layer = Layer.model_validate(spec)
    try:
        promised = layer.shape(x)
    except ShapeError:
        return False
    assert layer.build(x)(sample(x)).shape[1:] == promised.dims, spec
    return True


IMAGES = [TensorSpec((2, 9), "CL"), TensorSpec((2, 7, 8), "CHW"), TensorSpec((2, 5, 6, 7), "CDHW")]


@pytest.mark.parametrize("x", IMAGES, ids=lambda x: x.axes)
@pytest.mark.parametrize("kind", ["conv", "conv_transpose"])
def test_convolutions_of_every_window(kind, x):
    accepted = 0
    for kernel in (1, 2, 3, 4):
        for stride in (1, 2, 3):
            for padding in ("valid", "same", 1, 2):
                for dilation in (1, 2):
                    fields = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
                    accepted += check_shape({kind: {"channels": 2, **fields}}, x)
    assert accepted > 60


@pytest.mark.parametrize("x", IMAGES, ids=lambda x: x.axes)
@pytest.mark.parametrize("kind", ["max_pool", "avg_pool"])
def test_pools_of_every_window(kind, x):
    accepted = 0
    for kernel in (1, 2, 3, 4):
        for stride in (None, 1, 2, 3):
            for padding in ("valid", "same", 1):
                accepted += check_shape({kind: {"kernel": kernel, "stride": stride, "padding": padding}}, x)
    assert accepted > 30


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_padding_same_divides_and_multiplies_the_size_by_the_stride(kernel, stride):
    x = TensorSpec((1, 11, 12), "CHW")
    fields = {"channels": 1, "kernel": kernel, "stride": stride, "padding": "same"}
    assert Layer.model_validate({"conv": fields}).shape(x).spatial == (math.ceil(11 / stride), math.ceil(12 / stride))
    assert Layer.model_validate({"conv_transpose": fields}).shape(x).spatial == (11 * stride, 12 * stride)


def test_conv_passes_every_field_on_to_torch():
    x, images = TensorSpec((4, 12, 13), "CHW"), torch.randn(2, 4, 12, 13)
    fields = {"kernel": [3, 2], "stride": [2, 1], "padding": [1, 0], "dilation": [1, 2], "groups": 2}
    module = built({"conv": {"channels": 6, **fields}}, x)
    expected = torch.nn.functional.conv2d(images, module.weight, module.bias, (2, 1), (1, 0), (1, 2), 2)
    assert torch.equal(module(images), expected)
    module = built({"conv_transpose": {"channels": 6, **fields, "bias": False}}, x)
    expected = torch.nn.functional.conv_transpose2d(images, module.weight, None, (2, 1), (1, 0), 0, 2, (1, 2))
    assert torch.equal(module(images), expected)


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


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("x", [TensorSpec((6, 4, 5), "CHW"), TensorSpec((5, 6), "TF")], ids=lambda x: x.axes)
def test_norms_over_the_features_of_a_position(kind, x):
    inputs = 3 * sample(x) + 2
    axis = 1 if x.axes == "CHW" else 2
    mean = inputs.mean(axis, keepdim=True) if kind == "layer_norm" else 0
    expected = (inputs - mean) / (inputs - mean).square().mean(axis, keepdim=True).sqrt()
    assert torch.allclose(built(kind, x)(inputs), expected, atol=1e-4)


def test_norms_of_a_sequence_are_by_feature():
    x, inputs = TensorSpec((5, 6), "TF"), 3 * torch.randn(4, 5, 6) + 2
    over_batch = (inputs - inputs.mean((0, 1))) / inputs.std((0, 1), correction=0)
    over_time = (inputs - inputs.mean(1, keepdim=True)) / inputs.std(1, correction=0, keepdim=True)
    assert torch.allclose(built("batch_norm", x)(inputs), over_batch, atol=1e-4)
    assert torch.allclose(built("instance_norm", x)(inputs), over_time, atol=1e-4)


def test_features_of_a_sequence_have_their_own_slopes_and_scales():
    x, inputs = TensorSpec((5, 3), "TF"), torch.randn(4, 5, 3)
    module, slopes = built({"prelu": "feature"}, x), torch.tensor([0.1, 0.2, 0.3])
    module.weight.data = slopes
    assert torch.allclose(module(inputs), torch.where(inputs > 0, inputs, inputs * slopes))
    module = built({"scale": {"factor": 2.0, "learn": "feature"}}, TensorSpec((3, 4, 4), "CHW"))
    assert torch.equal(module(torch.ones(1, 3, 4, 4)), 2 * torch.ones(1, 3, 4, 4))
    assert module.weight.shape == (3,)


def test_rbf_is_minus_the_squared_distance():
    prototypes = [[1.0, -1.0, 1.0], [0.0, 0.0, 2.0]]
    module = built({"rbf": {"features": 2, "prototypes": prototypes}}, TensorSpec((3,), "F"))
    inputs = torch.randn(5, 3)
    assert torch.allclose(module(inputs), -torch.cdist(inputs, torch.tensor(prototypes)).square(), atol=1e-5)
    assert not list(module.parameters())


def test_subsample_starts_as_a_mean_and_scales_sums():
    x, images = TensorSpec((2, 4, 6), "CHW"), torch.randn(3, 2, 4, 6)
    module = built("subsample", x)
    assert torch.allclose(module(images), torch.nn.functional.avg_pool2d(images, 2), atol=1e-6)
    module.weight.data = torch.tensor([1.0, 2.0])
    module.bias.data = torch.tensor([0.5, 0.0])
    sums = torch.nn.functional.avg_pool2d(images, 2, divisor_override=1)
    assert torch.allclose(module(images)[:, 0], sums[:, 0] + 0.5, atol=1e-5)
    assert torch.allclose(module(images)[:, 1], 2 * sums[:, 1], atol=1e-5)


def test_connected_conv_is_a_convolution_with_zeros():
    table, x, images = [[0, 2], [1], [0, 1, 2]], TensorSpec((3, 6, 6), "CHW"), torch.randn(2, 3, 6, 6)
    module = built({"connected_conv": {"table": table, "kernel": 3}}, x)
    dense = torch.nn.Conv2d(3, 3, 3)
    dense.weight.data.zero_()
    for weight, (o, c) in zip(module.weight, [(0, 0), (0, 2), (1, 1), (2, 0), (2, 1), (2, 2)], strict=True):
        dense.weight.data[o, c] = weight.detach()
    dense.bias.data = module.bias.data
    assert torch.allclose(module(images), dense(images), atol=1e-6)


def test_the_layers_of_lenet5_have_the_parameters_of_the_paper():
    three = [[i, (i + 1) % 6, (i + 2) % 6] for i in range(6)]
    four = [[(i + j) % 6 for j in range(4)] for i in range(6)]
    split = [[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5]]
    table = [*three, *four, *split, list(range(6))]
    paper = [
        ({"conv": {"channels": 6, "kernel": 5}}, (1, 32, 32), 156),
        ({"subsample": 2}, (6, 28, 28), 12),
        ({"connected_conv": {"table": table, "kernel": 5}}, (6, 14, 14), 1516),
        ({"subsample": 2}, (16, 10, 10), 32),
        ({"conv": {"channels": 120, "kernel": 5}}, (16, 5, 5), 48_120),
    ]
    for spec, dims, parameters in paper:
        assert Layer.model_validate(spec).cost(TensorSpec(dims, "CHW")).parameters == parameters


@pytest.mark.parametrize(("kind", "below"), [("heaviside", 0.0), ("sign", -1.0)])
def test_jumps_have_two_levels_and_the_gradient_that_is_asked_for(kind, below):
    x, values = TensorSpec((4,), "F"), [[-2.0, -0.5, 0.0, 2.0]]
    for gradient, expected in (("straight_through", [[0.0, 1.0, 1.0, 0.0]]), ("zero", [[0.0] * 4])):
        inputs = torch.tensor(values, requires_grad=True)
        y = built({"type": kind, "gradient": gradient}, x)(inputs)
        y.sum().backward()
        assert y.tolist() == [[below, below, 1.0, 1.0]]
        assert inputs.grad.tolist() == expected


def test_dropout_is_off_in_evaluation_and_spatial_dropout_drops_channels():
    images = torch.ones(50, 8, 3, 3)
    module = built({"spatial_dropout": 0.5}, TensorSpec((8, 3, 3), "CHW"))
    by_channel = module(images).flatten(2)
    assert ((by_channel == 0).all(2) | (by_channel == 2).all(2)).all()
    assert 0.4 < (by_channel == 0).float().mean() < 0.6
    assert torch.equal(module.eval()(images), images)


@pytest.fixture(scope="module")
def numbers():
    generator = np.random.default_rng(0)
    normal, skewed, few = generator.normal(3, 2, 500), generator.lognormal(size=500), generator.integers(0, 3, 500)
    return np.stack([normal, skewed, few], 1).astype(np.float32)


def table_of(numbers, missing=()):
    quantiles = np.quantile(numbers, np.linspace(0, 1, 101), axis=0).T
    stats = Stats(
        mean=tuple(numbers.mean(0).tolist()),
        std=tuple(numbers.std(0).tolist()),
        quantiles=tuple(tuple(q) for q in quantiles.tolist()),
        missing=tuple(i in missing for i in range(3)),
    )
    return TensorSpec((3,), "F", stats=stats)


def test_columns_standardize_as_scikit_learn(numbers):
    module = built({"columns": "standardize"}, table_of(numbers))
    expected = StandardScaler().fit_transform(numbers)
    assert np.allclose(module(torch.from_numpy(numbers)).numpy(), expected, atol=1e-4)


def test_columns_map_quantiles_as_scikit_learn(numbers):
    spread = QuantileTransformer(n_quantiles=101).fit(numbers)
    beyond = np.concatenate([numbers, numbers[:50] * 3 - 5, numbers[:1] * 0 + 1e6])
    module = built({"columns": "quantile_uniform"}, table_of(numbers))
    share = (module(torch.from_numpy(beyond)).numpy() + 1) / 2
    expected = spread.transform(beyond)
    assert np.allclose(share[:, :2], expected[:, :2], atol=2e-3)
    middle = beyond[:, 2] == 1  # at a frequent minimum or maximum scikit-learn goes to the end, columns to the middle
    assert np.allclose(share[middle, 2], expected[middle, 2], atol=2e-3)
    assert share[beyond[:, 2] == 2, 2] == pytest.approx((beyond[:500, 2] <= 1).mean() / 2 + 0.5, abs=0.02)


def test_columns_make_a_skewed_column_normal(numbers):
    y = built({"columns": "quantile_normal"}, table_of(numbers))(torch.from_numpy(numbers))[:, 1]
    assert y.mean().item() == pytest.approx(0, abs=0.05)
    assert y.std().item() == pytest.approx(1, abs=0.05)
    assert y.abs().max() < 3.1


@pytest.mark.parametrize("numeric", ["standardize", "quantile_uniform", "quantile_normal"])
def test_columns_mark_what_is_missing(numeric, numbers):
    x = table_of(numbers, missing=(1,))
    rows = torch.tensor([[1.0, torch.nan, 2.0], [torch.nan, 1.0, 0.0]])
    y = built({"columns": numeric}, x)(rows)
    assert y.shape == (2, 4)
    assert y[0, 1] == 0
    assert y[1, 0] == 0
    assert y[:, 3].tolist() == [1.0, 0.0]
    assert torch.isfinite(y).all()


def test_columns_one_hot_and_embeddings():
    codes = torch.tensor([[0, 6], [3, 2]])
    x = TABLE["categorical"]
    one_hot = torch.nn.functional.one_hot
    expected = torch.cat([one_hot(codes[:, 0], 4), one_hot(codes[:, 1], 7)], 1).float()
    assert torch.equal(built({"columns": {"embedding": "one_hot"}}, x)(codes), expected)
    module = built({"columns": {"embedding": 5}}, x)
    tables = [p.detach() for p in module.parameters()]
    assert torch.equal(module(codes), torch.cat([tables[0][codes[:, 0]], tables[1][codes[:, 1]]], 1))
    assert Layer.model_validate({"columns": {}}).shape(TABLE).dims == (3 + 1 + 3 + 5,)


def test_columns_keep_their_statistics_in_the_checkpoint(numbers):
    x = table_of(numbers)
    state = built({"columns": "standardize"}, x).state_dict()
    assert torch.allclose(state["numeric.mean"], torch.tensor(x.stats.mean))
