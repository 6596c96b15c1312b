"""Every model: its example validates, promises what it delivers, and trains in all of its parameters."""

import math

import pytest
import torch
import yaml
from torch import nn

from dlx.component import leaf_class, types
from dlx.engine.build.experiment import channels_last
from dlx.errors import ShapeError
from dlx.initializers import Initializer
from dlx.layers import Layer
from dlx.models import Model, initialize
from dlx.nn.context import apply
from dlx.tensors import Stats, TensorSpec, context_of

BATCH = 3
FLAT = TensorSpec((7,), "F")
IMAGE = TensorSpec((1, 28, 28), "CHW")
PHOTO = TensorSpec((3, 64, 64), "CHW")
STATS = Stats(mean=(10.0, 20.0), std=(2.0, 5.0), missing=(False, True))
NUMBERS = TensorSpec((2,), "F", names=("age", "hours"), stats=STATS)
CODES = TensorSpec((2,), "F", "int64", vocab=(3, 5), names=("work", "sex"))
TOKENS = TensorSpec((9,), "T", "int64", vocab=(11,))
SERIES = TensorSpec((9, 4), "TF")
TOLD = {"time": TensorSpec((), ""), "label": TensorSpec((), "", "int64", vocab=(3,))}
INPUTS = {
    "flat": FLAT,
    "image": IMAGE,
    "photo": PHOTO,
    "numbers": NUMBERS,
    "codes": CODES,
    "table": {"numeric": NUMBERS, "categorical": CODES},
    "tokens": TOKENS,
    "series": SERIES,
    "told": FLAT.replace(context=TOLD),
    "told_image": TensorSpec((1, 8, 8), "CHW", context=TOLD),
    "pair": {"source": TOKENS, "target": TOKENS.replace(dims=(6,), vocab=(13,))},
}
MODELS = types("models")
LENET_1998 = {
    "type": "lenet5",
    "pooling": "subsample",
    "connections": 1998,
    "output": "rbf",
    "activation": [{"scale": 0.6667}, "tanh", {"scale": 1.7159}],
}


def example(name: str) -> object:
    return yaml.safe_load(leaf_class("models", name).__doc__.partition("Example:")[2])


def sample(x: object) -> object:
    if not isinstance(x, TensorSpec):
        return {name: sample(field) for name, field in x.items()}
    if not x.dims:
        return torch.randint(x.vocab[0], (BATCH,)) if x.vocab else torch.rand(BATCH)
    if x.vocab:
        return torch.stack([torch.randint(x.vocab[i % len(x.vocab)], (BATCH,)) for i in range(x.elements)], 1)
    return torch.randn(BATCH, *x.dims)


def fits(model: Model, x: object) -> bool:
    try:
        model.tree(x).shape(x)
    except ShapeError:
        return False
    return True


def worth_trying(model: Model, x: object) -> bool:
    """A conditioned input is for the models that read what it is told."""
    return fits(model, x) and ("time" not in context_of(x) or not fits(model, x.replace(context={})))


def run(module: nn.Module, x: object) -> torch.Tensor:
    return apply(module, sample(x), {name: sample(value) for name, value in context_of(x).items()})


FITTING = [
    pytest.param(name, x, id=f"{name}-{what}")
    for name in MODELS
    for what, x in INPUTS.items()
    if worth_trying(Model.model_validate(example(name)), x)
]


@pytest.mark.parametrize("name", MODELS)
def test_example_validates_and_round_trips(name: str) -> None:
    model = Model.model_validate(example(name))
    assert type(model) is leaf_class("models", name) and model.type == name
    assert Model.model_validate(model.model_dump(mode="json", serialize_as_any=True)) == model


@pytest.mark.parametrize("name", MODELS)
def test_fits_some_input(name: str) -> None:
    assert any(fits(Model.model_validate(example(name)), x) for x in INPUTS.values())


@pytest.mark.parametrize(("name", "x"), FITTING)
def test_delivers_the_promised_shape_and_cost(name: str, x: object) -> None:
    tree = Model.model_validate(example(name)).tree(x)
    module = tree.build(x)
    output = run(module.eval(), x)
    assert output.shape == (BATCH, *tree.shape(x).dims)
    assert output.isfinite().all()
    assert sum(p.numel() for p in module.parameters()) == tree.cost(x).parameters


@pytest.mark.parametrize(("name", "x"), FITTING)
def test_every_parameter_gets_a_gradient(name: str, x: object) -> None:
    torch.manual_seed(0)
    tree = Model.model_validate(example(name)).tree(x)
    module = tree.build(x)
    for _ in range(5):  # a code or a relu that one batch does not reach, another does
        output = run(module, x)
        if output.requires_grad:
            (output * torch.randn_like(output)).sum().backward()
    for path, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), path
        assert parameter.grad.abs().sum() > 0, path


@pytest.mark.parametrize(("name", "x"), [p for p in FITTING if getattr(p.values[1], "axes", "") == "CHW"])
def test_images_with_their_channels_last_give_the_same(name: str, x: TensorSpec) -> None:
    module = Model.model_validate(example(name)).tree(x).build(x).double().eval()
    batch = sample(x).double()
    told = {name: sample(value) for name, value in x.context.items()}
    told = {name: value.double() if value.is_floating_point() else value for name, value in told.items()}
    expected = apply(module, batch, told)
    channels_last(module)
    found = apply(module, batch.contiguous(memory_format=torch.channels_last), told)
    torch.testing.assert_close(found, expected)
    if found.requires_grad:
        found.sum().backward()


@pytest.mark.parametrize("name", MODELS)
def test_the_architecture_can_be_pasted_into_a_recipe(name: str) -> None:
    """What a model makes is a list of layers that `layers` takes as it is, and that survives being written down."""
    model = Model.model_validate(example(name))
    x = next(x for x in INPUTS.values() if fits(model, x))
    written = model.tree(x).model_dump(mode="json", serialize_as_any=True)["layers"]
    pasted = Model.model_validate({"type": "layers", "layers": written})
    assert pasted.tree(x).cost(x) == model.tree(x).cost(x)
    assert pasted.tree(x).shape(x) == model.tree(x).shape(x)


# ---- single models ------------------------------------------------------------------------------------------------


def tree_of(spelling: object, x: object) -> Layer:
    return Model.model_validate(spelling).tree(x)


def types_in(tree: Layer) -> list[str]:
    return [layer.type for layer in tree.layers]


def test_mlp_puts_norm_before_and_dropout_after_the_activation() -> None:
    model = {"mlp": {"hidden": [5, 4], "activation": "tanh", "norm": "batch_norm", "dropout": 0.5}}
    block = ["linear", "batch_norm", "tanh", "dropout"]
    assert types_in(tree_of(model, FLAT)) == block * 2
    assert types_in(tree_of({"mlp": [5]}, IMAGE)) == ["flatten", "linear", "relu"]


def test_mlp_has_the_parameters_of_its_sizes() -> None:
    assert tree_of({"mlp": [5, 4]}, FLAT).cost(FLAT).parameters == (7 + 1) * 5 + (5 + 1) * 4


@pytest.mark.parametrize("x", [NUMBERS, CODES, INPUTS["table"]])
def test_tables_go_through_columns(x: object) -> None:
    for model in ({"mlp": [5]}, "linear", "perceptron", "adaline"):
        assert types_in(tree_of(model, x))[0] == "columns"


def test_linear_sees_standardized_numbers_and_one_feature_a_category() -> None:
    x = INPUTS["table"]
    module = tree_of("linear", x).build(x)
    row = {"numeric": torch.tensor([[12.0, math.nan]]), "categorical": torch.tensor([[2, 0]])}
    assert module(row).tolist() == [[1.0, 0.0, 1.0, 0, 0, 1, 1, 0, 0, 0, 0]]


def test_features_without_names_are_passed_on_as_they_are() -> None:
    assert types_in(tree_of("linear", FLAT)) == []
    x = sample(FLAT)
    assert torch.equal(tree_of("linear", FLAT).build(FLAT)(x), x)


def test_perceptron_and_adaline_start_from_zero() -> None:
    for name in ("perceptron", "adaline"):
        model = Model.model_validate(name)
        tree = Layer.model_validate([*model.architecture(FLAT), {"linear": 2}])
        module = tree.build(FLAT)
        initialize(module, tree, FLAT, model.init)
        assert all((p == 0).all() for p in module.parameters())


def test_layers_is_what_the_recipe_lists() -> None:
    tree = tree_of(
        {"type": "layers", "layers": [{"stem": {"linear": 3}}, "relu"], "blocks": {"b": {"layers": []}}}, FLAT
    )
    assert types_in(tree) == ["linear", "relu"] and tree.layers[0].name == "stem"


def test_an_error_says_where_it_is() -> None:
    with pytest.raises(ShapeError) as caught:
        tree_of({"type": "layers", "layers": ["flatten", {"conv": {"channels": 2, "kernel": 3}}]}, IMAGE).shape(IMAGE)
    assert caught.value.loc == ("layers", 1)


# ---- LeNet-5 ------------------------------------------------------------------------------------------------------

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


# ---- how weights start --------------------------------------------------------------------------------------------


def initialized(layers: list[object], default: object, x: TensorSpec = FLAT) -> torch.nn.Module:
    torch.manual_seed(0)
    tree = Layer.model_validate(layers)
    module = tree.build(x)
    initialize(module, tree, x, None if default is None else Initializer.model_validate(default))
    return module


def weights(module: torch.nn.Module) -> list[float]:
    """Return the first weight of each matrix in the module."""
    return [p.flatten()[0].item() for p in module.parameters() if p.ndim >= 2]


def test_initialize_without_initializer_leaves_weights_alone() -> None:
    torch.manual_seed(0)
    expected = torch.nn.Linear(7, 3).weight
    assert torch.equal(initialized([{"linear": 3}], None)[0].weight, expected)


def test_initialize_prefers_a_layers_own_then_the_nearest_around_it_then_the_models() -> None:
    layers = [
        {"linear": 3},
        {
            "type": "sequential",
            "init": {"constant": 2.0},
            "layers": [{"linear": 3}, [{"linear": {"features": 3, "init": {"constant": 3.0}}}]],
        },
        {"repeat": {"times": 2, "layer": [{"linear": 3}], "init": {"constant": 4.0}}},
    ]
    assert weights(initialized(layers, {"constant": 1.0})) == [1, 2, 3, 4, 4]


def test_initialize_zeroes_biases_and_leaves_norms_alone() -> None:
    module = initialized([{"linear": 3}, "batch_norm"], {"constant": 5.0})
    assert (module[0].bias == 0).all()
    assert (module[1].weight == 1).all()


def test_initialize_uses_the_gain_of_the_activation_that_follows() -> None:
    wide = TensorSpec((600,), "F")
    layers = [{"linear": 600}, "batch_norm", "relu", {"linear": 600}, {"linear": 600}, "tanh"]
    module = initialized(layers, "kaiming_normal", wide)
    gains = [module[i].weight.std().item() * math.sqrt(600) for i in (0, 3, 4)]
    assert gains == pytest.approx([math.sqrt(2), 1.0, 5 / 3], rel=0.02)
