"""Roles: one component for every network that a task trains, or one for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from dlx.component import C, Component, field_names, leaf_class, types
from dlx.tasks import EVERY_ROLE

ByRole = Annotated[dict[str, C], Field(min_length=1)]
"""A component for every network that the task trains: one for all, or a mapping from role to component."""


def read_roles_of(family: str, default: str | None = None) -> BeforeValidator:
    """Read one component, or a mapping of roles to components, as a mapping of roles.

    Fields alone, without a type, are those of the default component: `optimizer: {lr: 0.1}`.
    """

    def read(value: Any) -> Any:
        names_roles = isinstance(value, Mapping) and value and "type" not in value
        if names_roles and all(_is_component_name(family, v) for v in value.values()):
            return value
        if default is not None and isinstance(value, Mapping) and set(value) <= _fields(family, default):
            return {EVERY_ROLE: {"type": default, **value}}
        return {EVERY_ROLE: value}

    return BeforeValidator(read)


def _is_component_name(family: str, value: Any) -> bool:
    """Say whether a value is the spelling of a component of the family."""
    if isinstance(value, Mapping):
        return "type" in value or (len(value) == 1 and next(iter(value)) in types(family))
    return isinstance(value, Component) or (isinstance(value, str) and value in types(family))


def _fields(family: str, name: str) -> set[str]:
    return {*field_names(leaf_class(family, name))} - {"type"}
