"""Pixels and tokens without a class, which neither losses nor metrics see.   N positions, K classes."""

from __future__ import annotations

from torch import Tensor

from dlx.facts import IGNORED


def drop_ignored(values_NK: Tensor, target_N: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values and targets of the positions that have a class."""
    has_class_N = target_N != IGNORED
    return values_NK[has_class_N], target_N[has_class_N]
