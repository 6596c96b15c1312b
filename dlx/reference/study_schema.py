"""The JSON Schema of the sections of studies: domains of values, and variants as changes of their recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlx.recipe.schema.study import NAME
from dlx.search_space import ANY, RANGES, STEP

Schema = dict[str, Any]
DOMAIN, VARIANT = "Domain", "Variant"
"""Names of the definitions."""
WHOLE = ("extends", "vars", "stages", "sweep", "compare", "version")
"""Keys of a recipe that a variant cannot change."""


def add_study_schema(root: Schema, defs: dict[str, Schema]) -> Schema:
    """Return the schema of a recipe whose sweeps take domains and whose variants take changes of it; adds to `defs`."""
    defs[DOMAIN] = _domain()
    changes = {name: value for name, value in root["properties"].items() if name not in WHOLE}
    defs[VARIANT] = {"type": ["object", "null"], "properties": changes, "additionalProperties": False}
    _replace(defs["Sweep"], "over", {"additionalProperties": _ref(DOMAIN)})
    _replace(defs["Compare"], "variants", {"propertyNames": {"pattern": NAME}, "additionalProperties": _ref(VARIANT)})
    return root


def _replace(section: Schema, field: str, values: Mapping[str, Any]) -> None:
    """Give a field that is a mapping other values; its description stays."""
    said = section["properties"][field].get("description", "")
    section["properties"][field] = {"description": said, "type": "object", "minProperties": 1, **values}


def _domain() -> Schema:
    """Return the schema of a domain: choices, a range, or alternatives with domains of their own."""
    ends = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    said = {"uniform": "evenly", "log": "evenly in the logarithm", "int": "whole", "log_int": "whole, in the logarithm"}
    ranges = {kind: {"description": f"Numbers from low to high, {said[kind]}.", **ends} for kind in RANGES}
    alternatives = {"description": "Alternatives, which may hold domains.", "type": "array", "minItems": 1}
    step = {"description": "Distance between neighbors of a range.", "type": "number", "exclusiveMinimum": 0}
    mapping = {
        "type": "object",
        "properties": {**ranges, ANY: alternatives, STEP: step},
        "additionalProperties": False,
        "minProperties": 1,
    }
    choices = {"type": "array", "minItems": 1}
    return {
        "description": "Choices, a range, or alternatives; null takes back a path of a recipe that this one extends.",
        "if": {"type": ["string", "null"]},
        "then": {"pattern": r"\$\{[^}]+\}"},
        "else": {"if": {"type": "array"}, "then": choices, "else": mapping},
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
