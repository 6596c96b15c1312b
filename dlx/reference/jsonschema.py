"""The JSON Schema of recipes: what an editor needs to complete, explain and check them.

pydantic describes sections and leaves; here every family becomes a choice among its leaves, in all spellings.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from dlx.component import Component, base_class, families, leaf_class, types
from dlx.layers import Layer
from dlx.plugins import activate_plugins
from dlx.recipe.compose.stages import NAME, SHARED, STAGES
from dlx.recipe.schema.field_docs import DescribedJsonSchema
from dlx.recipe.schema.recipe import Recipe
from dlx.reference.study_schema import add_study_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = {
    "type": "string",
    "pattern": r"\$\{[^}]+\}",
    "description": "A reference: ${vars.name}, ${env:NAME,default}.",
}
_LOOSE = "*"
"""Ends the names of definitions in which a layer may also be one of the recipe's own blocks."""
Schema = dict[str, Any]


def recipe_schema() -> Schema:
    """Return the schema of a whole recipe, in draft 2020-12, with every component that is installed."""
    activate_plugins()
    root = Recipe.model_json_schema(schema_generator=DescribedJsonSchema)
    bases = {base_class(family).__name__: family for family in families()}
    defs = {name: schema for name, schema in root.pop("$defs").items() if name not in bases}
    for name, family in bases.items():
        leaves = {key: _open_fields(schema, bases) for key, schema in _leaves(family, bases).items()}
        defs |= leaves | _primaries(family, leaves)
        defs[name] = _choice(family)
        defs[f"{name}.named"] = _named_map(family)
        defs[f"{name}.roles"] = _roles(family)
    defs = {
        name: schema if "." in name or name in bases else _open_fields(schema, bases) for name, schema in defs.items()
    }
    _add_blocks(defs)
    defs["Reference"] = REFERENCE
    whole = add_study_schema(_extending(_open_fields(root, bases), defs), defs)
    used = _without_titles(_reachable(whole, defs))
    return {"$schema": DIALECT, "title": "dlx recipe", **used}


def _without_titles(schema: Any) -> Any:
    """Return the schema without pydantic's titles, which an editor shows beside each description."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _without_titles(v) for k, v in schema.items() if k != "title" or not isinstance(v, str)}


def _leaves(family: str, bases: dict[str, str]) -> dict[str, Schema]:
    """Return a definition for every leaf, and for the sections inside of it under its name."""
    found: dict[str, Schema] = {}
    for name in types(family):
        schema = leaf_class(family, name).model_json_schema(schema_generator=DescribedJsonSchema)
        inner = {key: value for key, value in schema.pop("$defs", {}).items() if key not in bases}
        moved = {key: f"{family}.{name}.{key}" for key in inner}
        found |= {moved[key]: _redirect_refs(value, moved) for key, value in inner.items()}
        found[f"{family}.{name}"] = _redirect_refs(schema, moved)
    return found


def _primaries(family: str, leaves: dict[str, Schema]) -> dict[str, Schema]:
    """Return a definition for what each leaf's name may stand before without naming the field."""
    primary = {f"{family}.{name}": leaf_class(family, name).primary for name in types(family)}
    return {f"{key}.primary": leaves[key]["properties"][field] for key, field in primary.items() if field}


def _redirect_refs(schema: Any, names: dict[str, str]) -> Any:
    """Return the schema with its references led to other definitions."""
    if isinstance(schema, list):
        return [_redirect_refs(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _redirect_refs(value, names) for key, value in schema.items()}
    if isinstance(schema.get("$ref"), str):
        name = _target(schema)
        result |= _ref(names.get(name, name))
    return result


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _target(schema: Schema) -> str:
    return str(schema.get("$ref", "")).removeprefix("#/$defs/")


def _choice(family: str) -> Schema:
    """Return every spelling of a component: `relu`, `{type: relu}`, `{conv: {…}}`, `{max_pool: 2}`.

    An editor decides by the kind of value, then by the key `type`, then by the names of the keys, and looks into that
    one spelling alone: alternatives would each be tried at every level, so that deep recipes took minutes.
    """
    base, leaves = base_class(family), {name: leaf_class(family, name) for name in types(family)}
    names = list(leaves)
    keyed = _one_of({name: _fields(family, name, leaf) for name, leaf in leaves.items()})
    by_type = {"properties": {"type": {"enum": names}}, "allOf": [_if_type(family, name) for name in names]}
    mapping: Schema = keyed
    if issubclass(base, Layer):
        mapping = _if({"propertyNames": {"enum": names}}, keyed, _one_key(_ref(base.__name__)))
    mapping = _if({"required": ["type"]}, by_type, mapping)
    words: Schema = {"enum": [name for name, leaf in leaves.items() if not _required_fields(leaf)]}
    rest: Schema = {"type": "object", **mapping}
    if issubclass(base, Layer):
        rest = _if({"type": "array"}, {"items": _ref(base.__name__)}, rest)
    return {"description": _sentence(base), **_if({"type": "string"}, _or_reference(words), rest)}


def _if(condition: Schema, then: Schema, otherwise: Schema) -> Schema:
    return {"if": condition, "then": then, "else": otherwise}


def _if_type(family: str, name: str) -> Schema:
    condition = {"required": ["type"], "properties": {"type": {"const": name}}}
    return {"if": condition, "then": _ref(f"{family}.{name}")}


def _or_reference(schema: Schema) -> Schema:
    """Let a reference stand where a value stands."""
    return _if({"type": "string", "pattern": REFERENCE["pattern"]}, {}, schema)


def _one_of(properties: dict[str, Schema]) -> Schema:
    """Return a mapping with exactly one of these keys."""
    return {"properties": properties, "additionalProperties": False, "minProperties": 1, "maxProperties": 1}


def _required_fields(leaf: type[Component]) -> list[str]:
    return [name for name, field in leaf.model_fields.items() if field.is_required()]


def _sentence(cls: type[Component]) -> str:
    return (cls.__doc__ or "").strip().split("\n\n")[0]


def _one_key(value: Schema) -> Schema:
    return {"type": "object", "additionalProperties": value, "minProperties": 1, "maxProperties": 1}


def _fields(family: str, name: str, leaf: type[Component]) -> Schema:
    """Return what may stand after a component's name: its fields, its primary field, or nothing."""
    here = f"{family}.{name}"
    bare: list[Schema] = [_ref(f"{here}.primary")] if leaf.primary else []
    bare += [] if _required_fields(leaf) else [{"enum": [None, True]}]
    otherwise: Schema = bare[0] if len(bare) == 1 else {"anyOf": bare} if bare else {"type": "object"}
    return {"description": _sentence(leaf), **_if({"type": "object"}, _ref(here), otherwise)}


def _named_map(family: str) -> Schema:
    """Return a map of components by type or by a name of one's own; null or false takes one out."""
    base = base_class(family).__name__
    without: Schema = {"enum": [None, False]}
    entries = {name: _fields(family, name, leaf_class(family, name)) for name in types(family)}
    by_type = {name: _if(without, {}, entry) | {"description": entry["description"]} for name, entry in entries.items()}
    others = _if(without, {}, {"type": "object", "required": ["type"], **_ref(base)})
    mapping = {"type": "object", "properties": by_type, "additionalProperties": others}
    return _if({"type": "array"}, {"items": _ref(base)}, _or_reference(mapping))


def _roles(family: str) -> Schema:
    """Return one component for all networks of a task, or a map from role to component."""
    base = base_class(family).__name__
    names = {"not": {"enum": ["type", *types(family)]}}
    by_role = {"type": "object", "minProperties": 1, "propertyNames": names}
    return _if(by_role, {"additionalProperties": _ref(base)}, _ref(base))


def _open_fields(schema: Any, bases: dict[str, str]) -> Any:
    """Return a section's schema with maps of components in all spellings, and references wherever a value stands."""
    if not isinstance(schema, dict) or "properties" not in schema:
        return schema
    properties = {
        name: value if name == "type" else _value(value, bases) for name, value in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _value(schema: Schema, bases: dict[str, str]) -> Schema:
    inner = schema.get("additionalProperties")
    base = _target(inner) if isinstance(inner, dict) else ""
    notes: Schema = {key: schema[key] for key in ("description", "default") if key in schema}
    if base in bases:
        return {**notes, **_ref(f"{base}.roles" if schema.get("minProperties") else f"{base}.named")}
    bare = {key: value for key, value in schema.items() if key not in (*notes, "title")}
    if _target(schema) in bases:
        return {**notes, **bare}
    bare |= {
        key: _value(bare[key], bases) for key in ("items", "additionalProperties") if isinstance(bare.get(key), dict)
    }
    if not bare or bare == {"type": "string"}:
        return {**notes, **bare}
    if set(bare) == {"anyOf"}:
        bare = _alternatives([_value(way, bases) for way in bare["anyOf"]])
    return {**notes, **_or_reference(bare)}


def _alternatives(ways: list[Schema]) -> Schema:
    """Return a choice of which the parts that are plain values are tried first, and only one other is looked into."""
    ways = [way["else"] if way.get("then") == {} else way for way in ways]  # references are let in once, outside
    plain = [way for way in ways if not {"$ref", "items", "properties", "additionalProperties", "if"} & set(way)]
    others = [way for way in ways if way not in plain]
    layer = _ref(Layer.__name__)
    if layer in others:  # a list of layers is a layer
        others = [way for way in others if way == layer or way.get("items") != layer]
    last = others[0] if len(others) == 1 else {"anyOf": others}
    return {"anyOf": plain} if not others else _if({"anyOf": plain}, {}, last) if plain else last


def _add_blocks(defs: dict[str, Schema]) -> None:
    """Let `blocks` beside `layers` bring names of one's own: add a second set of layers that takes any name."""
    base, family = Layer.__name__, Layer.family
    mine = [name for name in defs if name == base or name.startswith(f"{family}.")]
    loose = {name: f"{name}{_LOOSE}" for name in mine}
    copies = {loose[name]: _redirect_refs(copy.deepcopy(defs[name]), loose) for name in mine}
    loosened = copies[loose[base]]
    loosened["then"] = {}  # any word may name a block
    keys = loosened["else"]["else"]["else"]
    keys["else"] = _one_key({})
    for name, schema in list(defs.items()):
        fields = schema.get("properties", {})
        if {"blocks", "layers"} <= set(fields):
            copies[f"{name}{_LOOSE}"] = {
                **schema,
                "properties": {**fields, "layers": _redirect_refs(fields["layers"], loose)},
            }
            copies[f"{name}.plain"] = {**schema, "properties": {key: fields[key] for key in fields if key != "blocks"}}
            ways = {"then": _ref(f"{name}{_LOOSE}"), "else": _ref(f"{name}.plain")}
            copies[name] = {"description": schema.get("description", ""), "if": {"required": ["blocks"]}, **ways}
    defs |= copies


def _extending(root: Schema, defs: dict[str, Schema]) -> Schema:
    """Let a recipe that extends another, or has stages, leave out what is there: sections, and types of components."""
    required = root.pop("required")
    bases = {base_class(family).__name__ for family in families()}
    holding = {n for n, s in root["properties"].items() if bases & {r.split(".")[0] for r in _refs(s, defs)}}
    strict = {name: root["properties"][name] for name in holding}
    for name in holding:
        notes = {key: value for key, value in strict[name].items() if key in ("description", "default")}
        root["properties"][name] = {**notes, "anyOf": [strict[name], {"type": ["object", "null"]}]}
    stage = {name: value for name, value in root["properties"].items() if name not in SHARED}
    defs["Stage"] = {"type": ["object", "null"], "properties": stage, "additionalProperties": False}
    stages = {"type": "object", "propertyNames": {"pattern": f"^{NAME}$"}, "additionalProperties": _ref("Stage")}
    root["properties"][STAGES] = {"description": root["properties"][STAGES]["description"], **stages}
    whole = {"properties": strict, "required": required}
    return {**root, "if": {"anyOf": [{"required": ["extends"]}, {"required": [STAGES]}]}, "else": whole}


def _refs(schema: Any, defs: dict[str, Schema], seen: set[str] | None = None) -> set[str]:
    """Return the names of all definitions that a schema leads to."""
    seen = set() if seen is None else seen
    for name in _direct(schema):
        if name not in seen:
            seen.add(name)
            _refs(defs.get(name), defs, seen)
    return seen


def _direct(schema: Any) -> Iterator[str]:
    values = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        yield _target(schema)
    for value in values:
        yield from _direct(value)


def _reachable(root: Schema, defs: dict[str, Schema]) -> Schema:
    return {**root, "$defs": {name: defs[name] for name in sorted(_refs(root, defs))}}
