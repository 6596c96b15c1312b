"""Why a value of a recipe is what it is: where it was written, what it replaced, what it means, and who reads it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import dlx.component
from dlx.component import Component
from dlx.errors import UsageError
from dlx.nearest import nearest
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.origins import Origin, origins_of
from dlx.recipe.schema.changes import permission_of
from dlx.recipe.schema.field_docs import field_descriptions
from dlx.recipe.schema.field_types import TypeNotation, default_yaml
from dlx.tasks import EVERY_ROLE

MEANING = {
    "free": "it may change when a run goes on",
    "ask": "a run goes on with another value only with --allow-change",
    "fixed": "a run cannot go on with another value",
}
"""What a permission to change means to a person who resumes a run."""
READERS = 6
"""Places in the code that are shown at most."""


@dataclass(frozen=True)
class Why:
    """What is known of one value of a recipe; `readers` are places in the code that read a field of this name."""

    origin: Origin
    kind: str
    default: str | None
    description: str
    permission: str
    readers: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        origin = {"path": self.origin.path, "value": self.origin.value, "place": self.origin.place}
        rest = {name: value for name, value in vars(self).items() if name != "origin"}
        return {**origin, "notes": list(self.origin.notes), **rest}


def explain_value(loaded: LoadedRecipe, path: str) -> list[Why]:
    """Explain the value at a path of a recipe, or every value below it. Raises: UsageError if nothing is there."""
    origins = origins_of(loaded)
    below = [o for o in origins if o.path == path or o.path.startswith(f"{path}.")]
    if not below:
        known = [o.path for o in origins]
        near = nearest(path, known) or [other for other in known if other.endswith(f".{path}")]
        raise UsageError(f"the recipe has no value at {path}" + (f"; did you mean {near[0]}?" if near else ""))
    return [_explain_origin(loaded, origin) for origin in below]


def _explain_origin(loaded: LoadedRecipe, origin: Origin) -> Why:
    stage, _, path = origin.path.removeprefix("stages.").partition(".") if loaded.stages else ("", "", origin.path)
    holder, name = _field(loaded.stages[stage].recipe if stage else loaded.recipe, path)
    field = None if holder is None else holder.model_fields.get(name)
    if holder is None or field is None:
        return Why(origin, "", None, "", permission_of(path), [])
    kind, default = TypeNotation().kind(field), default_yaml(field)
    *_, section, _ = ("recipe", *path.split("."))
    readers = list(dict.fromkeys(_readers(holder, name, section)))[:READERS]
    description = field_descriptions(holder).get(name, "")
    return Why(origin, kind, default, description, permission_of(path), readers)


def _field(recipe: Any, path: str) -> tuple[type[BaseModel] | None, str]:
    """Return the section or component whose field a path names, and the field; that of a plain value's holder."""
    here, holder, name = recipe, None, ""
    for part in path.split("."):
        if isinstance(here, Mapping) and EVERY_ROLE in here and part not in here:
            here = here[EVERY_ROLE]
        if isinstance(here, BaseModel):
            holder, name, here = type(here), part, getattr(here, part, None)
        elif isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, list | tuple) and part.isdigit() and int(part) < len(here):
            here = here[int(part)]
        else:
            break
    return holder, name


def _readers(holder: type[BaseModel], name: str, section: str) -> Iterator[str]:
    """Yield the places that read a field: of a component in its own leaf, of a section wherever that is named."""
    root = Path(dlx.component.__file__).parent
    own = Path(inspect.getfile(holder))
    if issubclass(holder, Component):
        files = sorted(own.parent.glob("*.py")) if own.name == "__init__.py" else [own]
        holders = {"self", "spec", "task"}
    else:
        files, holders = sorted(root.rglob("*.py")), {section}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == name and _last_name(node.value) in holders:
                yield f"{file.relative_to(root.parent)}:{node.lineno}"


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
