"""A sequence whose children keep their names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from torch import nn


def named_sequence(modules: Mapping[str, nn.Module]) -> nn.Sequential:
    """Return a torch Sequential whose state dict is keyed by the layers' names."""
    return nn.Sequential(OrderedDict(modules))
