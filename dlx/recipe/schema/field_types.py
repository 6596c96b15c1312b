"""What a field takes and what it is by default, in the words of `dlx show`, the reference pages and the origins."""

from __future__ import annotations

import json
import re
import types as pythontypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dlx.component import Component, base_class

_ONE_WORD = {int: "integer", float: "number", bool: "true or false", str: "text", type(None): "null", Any: "any value"}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_OTHER_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
"""Words that some reader of YAML takes for something else than text."""
_BOUNDS = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))


def class_name(cls: type) -> str:
    """Return what a reader calls a section, or a component of any type."""
    return (base_class(cls.family) if issubclass(cls, Component) else cls).__name__.lower()


@dataclass(frozen=True)
class TypeNotation:
    """How fields are put into words: `code` marks what is typed literally, `link` names a section or a component."""

    code: Callable[[str], str] = str
    link: Callable[[type], str] = class_name

    def kind(self, field: FieldInfo) -> str:
        """Say what a field takes: `number, > 0`."""
        return ", ".join([self._name(field.annotation), *(text for m in field.metadata for text in self._limits(m))])

    def _limits(self, metadata: Any) -> Iterator[str]:
        for inner in metadata.metadata if isinstance(metadata, FieldInfo) else ():
            yield from self._limits(inner)
        for name, sign in _BOUNDS:
            bound = getattr(metadata, name, None)
            if bound is not None:
                yield f"{sign} {bound}"
        pattern = getattr(metadata, "pattern", None)
        if pattern:
            yield f"matches {self.code(pattern)}"

    def _name(self, annotation: Any) -> str:
        origin, inside = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            limits = " and ".join(text for m in inside[1:] for text in self._limits(m))
            return f"{self._name(inside[0])} {limits}".rstrip()
        if origin is Literal:
            return " or ".join(self.code(to_yaml(v)) for v in inside)
        if origin in (Union, pythontypes.UnionType):
            return " or ".join(dict.fromkeys(self._name(a) for a in inside))
        if origin is list:
            return f"list of {self._name(inside[0])}"
        if origin is tuple:
            return f"[{', '.join('…' if a is Ellipsis else self._name(a) for a in inside)}]"
        if origin is dict:
            return f"mapping to {self._name(inside[1])}"
        return _ONE_WORD.get(annotation) or self._class(annotation)

    def _class(self, annotation: Any) -> str:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self.link(annotation)
        return getattr(annotation, "__name__", str(annotation))


def default_yaml(field: FieldInfo) -> str | None:
    """Return the default as a recipe would write it; None where a value must be given."""
    if field.is_required():
        return None
    return to_yaml(field.get_default(call_default_factory=True, validated_data={}))


def to_yaml(value: Any) -> str:
    """Write a value on one line as a recipe would; every reader of YAML understands it alike."""
    if isinstance(value, BaseModel):
        return to_yaml(value.model_dump(mode="json", exclude_unset=True, serialize_as_any=True))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{to_yaml(key)}: {to_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(to_yaml(item) for item in value)}]"
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _OTHER_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
