"""What components of a family do, as values that can be compared: observers for the sweep over every field."""

from typing import Any

import torch
from optimizer_gym import fit as fit_optimizer
from optimizer_gym import weights
from probe import Probe, fit
from torch import nn

from dlx.engine.build.adapt import attach_adapters
from dlx.layers import Layer
from dlx.losses import Loss
from dlx.optimizers import Optimizer
from dlx.schedules import TrainingLength
from dlx.tensors import TensorSpec

LENGTH = TrainingLength(steps=100, steps_per_epoch=10)
METRIC = [1.0, 0.5, 0.6, 0.51, 0.4999, 0.7, 0.4, 0.45, 0.3995, 0.5, *[0.6] * 30]


def trained_weights(spec: Any) -> list[float]:
    """Return the weights of a small network after some steps of an optimizer."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 5))
    fit_optimizer(spec, net, 14)
    return weights(net).tolist()


def learning_rates(spec: Any) -> list[float]:
    """Return the learning rate of every step; where a schedule monitors a metric, of one that goes up and down."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler, found = spec.build(optimizer, LENGTH), []
    for step in range(LENGTH.steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if spec.interval == "step":
            scheduler.step()
        elif step % 2:
            scheduler.step(METRIC[min(step // 2, len(METRIC) - 1)])
    return found


class TwoLosses(Probe):
    """A probe with two metrics, one of which stops improving sooner."""

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        self.log("val/other_loss", [1.0, 0.99, 0.5, 0.6, 0.7, 0.8, 0.3, 0.2, 0.1, 0.05][self.current_epoch])


def regularized_training(spec: Any) -> Any:
    """Return what a regularizer makes of a network, a loss and an optimizer, and of a training."""
    return _rewritten(spec), _penalty(spec), _trained(spec)


def _rewritten(spec: Any) -> list[Any]:
    block = {"residual": {"layers": [{"linear": 4}, "relu"], "shortcut": "identity"}}
    pairs = [
        (spec.rewrite_layers, Layer.model_validate([{"linear": 4}, "relu", block, block, {"linear": 3}])),
        (spec.rewrite_loss, Loss.model_validate("cross_entropy")),
        (spec.rewrite_optimizer, Optimizer.model_validate("adamw")),
    ]
    return [rewrite(given).model_dump(mode="json", serialize_as_any=True) for rewrite, given in pairs]


def _penalty(spec: Any) -> float | None:
    torch.manual_seed(0)
    found = spec.penalty(nn.Linear(3, 2))
    return None if found is None else found.item()


def _trained(spec: Any) -> Any:
    if spec.callback() is None:
        return None
    losses = [1.0, 0.8, 0.81, 0.79, 0.795, 0.5, 0.51, 0.52, 0.53, 0.54]
    probe = fit([spec], epochs=10, probe=TwoLosses(losses=losses), validate=True)
    return [w.tolist() for w in (*probe.weights, *probe.evaluated)], probe.rates


def attributes(spec: Any) -> list[str]:
    """Return the plain attributes of what a component builds, for several networks in turns or one."""
    return [plain_attributes(spec.build(in_turns)) for in_turns in (False, True)]


def plain_attributes(built: Any) -> str:
    """Return the attributes of an object that are numbers, words or mappings."""
    owned = getattr(built, "__dict__", {}).items()
    hidden = "_" if isinstance(built, nn.Module) else "_lightning_module"
    plain = (bool, int, float, str, dict, type(None))
    return repr(sorted((n, v) for n, v in owned if isinstance(v, plain) and not n.startswith(hidden)))


def adapted_network(spec: Any) -> list[Any]:
    """Return the output of a small network with an adapter whose weights are random, and what of it learns."""
    torch.manual_seed(0)
    x = TensorSpec((6,), "F")
    tree = Layer.model_validate([{"body": [{"linear": 5}, "relu", {"linear": 5}]}, {"head": {"linear": 3}}])
    network = tree.build(x)
    attach_adapters(network, spec, tree, x)
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    return [network(torch.randn(4, 6)).tolist(), [n for n, _ in network.named_parameters() if spec.is_trained(n)]]
