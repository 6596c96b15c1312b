"""Layer names: the rule for whatever in a recipe chooses layers of the networks by name or glob."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from dlx.nearest import nearest
from dlx.patterns import matching_layers
from dlx.rules import CheckContext, Problem, Rule

SHOWN = 6  # layers that a message lists


class NoSuchLayer(Rule):
    """No layer with weights has this name.

    `freeze`, `init_from.only` and an optimizer's `lr_scale` and `layers_pattern` choose layers as `dlx plan` names
    them: `body` is all that is in it, `body.*.0` a glob.

    Why:      the setting would do nothing, in silence.
    Instead:  write a name that `dlx plan` shows.
    Wrong:    freeze: [bodi]
    Right:    freeze: [body]
    """

    code: ClassVar[str] = "DLX460"


def weighted_layers(context: CheckContext, role: str | None = None) -> list[str]:
    """Return the paths of the layers with weights, of one network or of all."""
    if role is not None and role in context.networks:
        return context.networks[role].weighted_layers
    return [path for network in context.networks.values() for path in network.weighted_layers]


def check_pattern(pattern: str, layers: Sequence[str], *loc: str | int) -> Iterator[Problem]:
    """Refuse a pattern that matches none of the layers."""
    if matching_layers(pattern, layers):
        return
    near = nearest(pattern, layers)
    known = f"there are {', '.join(layers[:SHOWN])}{', …' if len(layers) > SHOWN else ''}"
    hint = f"did you mean {near[0]}?" if near else known
    yield NoSuchLayer.at(f"no layer with weights is named '{pattern}'; {hint}", *loc)
