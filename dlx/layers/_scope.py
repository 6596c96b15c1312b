"""The context of a record's fields; its values are specs in a plan, and tensors in a module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")


def field_context(field: str, context: Mapping[str, V]) -> Mapping[str, V]:
    """Return the context of one field of a record: the field's own mask, where it has one, is `mask`."""
    mask = context.get(f"{field}_mask")
    return context if mask is None else {**context, "mask": mask}
