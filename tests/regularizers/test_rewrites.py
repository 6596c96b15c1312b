import pytest
from probe import regularizer
from torch import nn

from dlx.layers import Layer, walk
from dlx.losses import Loss
from dlx.optimizers import Optimizer
from dlx.tensors import TensorSpec


def test_weight_decay_is_set_in_the_optimizer_even_in_a_wrapped_one():
    spec = regularizer({"weight_decay": 0.2})
    assert spec.rewrite_optimizer(Optimizer.model_validate("adamw")).weight_decay == 0.2
    wrapped = Optimizer.model_validate({"type": "sam", "lr": 0.3, "base_optimizer": "sgd"})
    assert spec.rewrite_optimizer(wrapped).base_optimizer.weight_decay == 0.2
    with pytest.raises(ValueError, match="lbfgs has no weight decay"):
        spec.rewrite_optimizer(Optimizer.model_validate("lbfgs"))


def test_label_smoothing_is_set_in_the_loss():
    spec = regularizer({"label_smoothing": 0.2})
    assert spec.rewrite_loss(Loss.model_validate("cross_entropy")).label_smoothing == 0.2
    with pytest.raises(ValueError, match="mse knows no label smoothing"):
        spec.rewrite_loss(Loss.model_validate("mse"))


def layers(value):
    return Layer.model_validate(value)


def order(tree, dims=(8,)):
    return [n.type for _, n, x in walk(tree, TensorSpec(dims, "F" * len(dims))) if not n.children(x)]


def test_dropout_is_put_after_hidden_activations():
    tree = layers([{"linear": 4}, "relu", [{"linear": 4}, "tanh"], {"linear": 3}, "softmax"])
    changed = regularizer({"dropout": 0.3}).rewrite_layers(tree)
    assert order(changed) == ["linear", "relu", "dropout", "linear", "tanh", "dropout", "linear", "softmax"]
    module = changed.build(TensorSpec((8,), "F"))
    assert [m.p for m in module.modules() if isinstance(m, nn.Dropout)] == [0.3, 0.3]
    assert order(tree) == ["linear", "relu", "linear", "tanh", "linear", "softmax"]


def test_dropout_sets_what_there_is_and_adds_nothing_then():
    tree = layers([{"linear": 4}, "relu", [{"dropout": 0.5}], {"linear": 3}])
    changed = regularizer({"dropout": 0.1}).rewrite_layers(tree)
    assert order(changed) == order(tree)
    assert changed.layers[2].layers[0].p == 0.1


def test_dropout_says_when_it_can_do_nothing():
    with pytest.raises(ValueError, match="neither dropout layers nor activations"):
        regularizer({"dropout": 0.1}).rewrite_layers(layers([{"linear": 4}, "relu"]))


class Block(Layer):
    type: str = "block"
    drop_path: float = 0.0


def test_stochastic_depth_grows_linearly_over_the_layers_that_can_be_skipped():
    tree = layers([Block(), {"linear": 4}, [Block(), Block(drop_path=0.9)], Block()])
    changed = regularizer({"stochastic_depth": 0.4}).rewrite_layers(tree)
    blocks = [changed.layers[0], *changed.layers[2].layers, changed.layers[3]]
    assert [b.drop_path for b in blocks] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    with pytest.raises(ValueError, match="no layer of the network has a drop_path"):
        regularizer("stochastic_depth").rewrite_layers(layers(["relu"]))
