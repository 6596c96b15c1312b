import pytest
from torch import nn

from dlx.optimizers import Optimizer, parameter_groups


def optimizer(value):
    return Optimizer.model_validate(value)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.norm = nn.LayerNorm((4, 4))
        self.head = nn.Linear(4, 2)


def named(network, made):
    names = {p: n for n, p in network.named_parameters()}
    return [({names[p] for p in g["params"]}, {k: v for k, v in g.items() if k != "params"}) for g in made]


def test_groups_spare_biases_and_normalizations_from_decay():
    net = Scaled()
    (decayed, plain), (spared, settings) = named(net, parameter_groups(optimizer("adamw"), net))
    assert plain == {}
    assert settings == {"weight_decay": 0.0}
    assert decayed == {"conv.weight", "attention.in_proj_weight", "attention.out_proj.weight", "head.weight"}
    assert spared == {
        *("conv.bias", "bn.weight", "bn.bias", "attention.in_proj_bias", "attention.out_proj.bias"),
        *("norm.weight", "norm.bias", "head.bias"),
    }


def test_groups_spare_what_a_glob_names():
    net = Scaled()
    spec = optimizer({"type": "adamw", "no_decay": ["head.*"]})
    assert named(net, parameter_groups(spec, net))[1][0] == {"head.weight", "head.bias"}


def test_groups_are_one_where_nothing_decays():
    net = Scaled()
    for value in ("sgd", "lbfgs", {"type": "adamw", "weight_decay": 0.0}):
        ((names, settings),) = named(net, parameter_groups(optimizer(value), net))
        assert settings == {}
        assert len(names) == 12


def test_layer_decay_slows_what_is_far_from_the_output():
    net = Scaled()
    spec = optimizer({"type": "sgd", "lr": 0.1, "layer_decay": 0.5})
    made = named(net, parameter_groups(spec, net))
    rates = {name: settings.get("lr", 0.1) for names, settings in made for name in names}
    assert rates["head.weight"] == rates["head.bias"] == 0.1
    assert rates["norm.weight"] == pytest.approx(0.05)  # stands after the frozen layer, which counts
    assert rates["attention.out_proj.weight"] == rates["attention.out_proj.bias"] == pytest.approx(0.025)
    assert rates["attention.in_proj_weight"] == pytest.approx(0.0125)
    assert rates["conv.weight"] == rates["bn.weight"] == pytest.approx(0.00625)


def rates_of(spec, net):
    made = named(net, parameter_groups(spec, net))
    return {name: pytest.approx(settings.get("lr", spec.lr)) for names, settings in made for name in names}


def test_layers_that_are_named_decay_as_in_electra():
    """Embeddings, then blocks, then a head: its Table of layer-wise rates is decay to the power of layers above."""
    net = nn.Sequential()
    net.embedding, net.blocks, net.head = nn.Embedding(5, 4), nn.Sequential(), nn.Linear(4, 2)
    for _ in range(3):
        net.blocks.append(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4)))
    spec = optimizer({"type": "adamw", "lr": 1.0, "layer_decay": 0.5, "layers_pattern": "blocks.*"})
    wanted = {"embedding": 0.5**4, "blocks.0": 0.5**3, "blocks.1": 0.5**2, "blocks.2": 0.5, "head": 1.0}
    found = rates_of(spec, net)
    assert len(found) == 21
    assert all(lr == next(w for start, w in wanted.items() if name.startswith(start)) for name, lr in found.items())


def test_layers_have_rates_of_their_own():
    net = Scaled()
    spec = optimizer({"type": "sgd", "lr": 0.1, "lr_scale": {"head": 10.0, "*.bias": 2.0, "conv": 0.5}})
    found = rates_of(spec, net)
    assert (found["head.weight"], found["head.bias"], found["conv.bias"], found["norm.bias"]) == (1.0, 2.0, 0.1, 0.2)
    assert found["conv.weight"] == 0.05 and found["attention.in_proj_weight"] == 0.1


def test_frozen_layers_count_as_layers():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].requires_grad_(False)
    spec = optimizer({"type": "sgd", "lr": 1.0, "layer_decay": 0.5, "layers_pattern": "[01]"})
    assert rates_of(spec, net) == {"0.weight": 0.25, "0.bias": 0.25, "2.weight": 1.0, "2.bias": 1.0}


def test_layers_need_a_decay():
    with pytest.raises(ValueError, match="layer_decay"):
        optimizer({"type": "sgd", "layers_pattern": "body.*"})


def test_a_shared_parameter_is_in_one_group():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    made = parameter_groups(optimizer("adamw"), net)
    assert sum(len(g["params"]) for g in made) == 3
