"""What a component says of itself: its docstring, its example, and a line for every field."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from textwrap import dedent

from dlx.component import Component, base_class, families, leaf_class, types
from dlx.errors import UsageError
from dlx.installation import install_command
from dlx.nearest import nearest
from dlx.recipe.schema.field_docs import field_descriptions
from dlx.recipe.schema.field_types import TypeNotation, default_yaml


@dataclass(frozen=True)
class Field:
    """A field of a component: its name, what it takes, its default as YAML ("" where it must be given), its words."""

    name: str
    kind: str
    default_yaml: str
    text: str


@dataclass(frozen=True)
class Doc:
    """A component for a reader; `primary` is the field that a bare value stands for."""

    family: str
    type: str
    text: str
    example: str
    fields: tuple[Field, ...]
    primary: str | None
    install: str | None


@dataclass(frozen=True)
class Summary:
    """One line of a list: a name and a sentence."""

    name: str
    text: str
    count: int = 1


def all_families() -> list[Summary]:
    """Return every family, with the first sentence of its module and how many components it has."""
    modules = {family: inspect.getdoc(inspect.getmodule(base_class(family))) or "" for family in families()}
    return [Summary(f, _sentence(text.partition(": ")[2] or text), len(types(f))) for f, text in modules.items()]


def components(family: str) -> list[Summary]:
    """Return every component of a family with its first sentence. Raises: UsageError if there is no such family."""
    name = family_named(family)
    return [Summary(leaf, _sentence(inspect.getdoc(leaf_class(name, leaf)) or "")) for leaf in types(name)]


def family_named(word: str) -> str:
    """Return the family that a word means, in the plural, the singular, or as the recipe's section."""
    known = families()
    for family in known:
        if word in (family, family.removesuffix("s"), family.removesuffix("rs")):
            return family
    similar_names = nearest(word, list(known))
    raise UsageError(
        f"there is no family '{word}'"
        + (f"; did you mean {similar_names[0]}?" if similar_names else f": {', '.join(known)}")
    )


def find_components(word: str) -> list[type[Component]]:
    """Return the components that a word means: `conv`, or `layers/conv` where several families have one."""
    family, _, name = word.rpartition("/")
    places = [family_named(family)] if family else families()
    return [leaf_class(place, name) for place in places if name in types(place)]


def similar_names(word: str) -> list[str]:
    """Return components whose names are near to a word, as family/type."""
    known = {leaf: f"{family}/{leaf}" for family in families() for leaf in types(family)}
    return [known[name] for name in nearest(word.rpartition("/")[2], list(known), n=3)]


def describe_component(leaf: type[Component]) -> Doc:
    """Return what a component says of itself."""
    text, _, example = (inspect.getdoc(leaf) or "").partition("\nExample:\n")
    return Doc(
        leaf.family,
        leaf.model_fields["type"].default,
        text.strip(),
        dedent(example).strip(),
        tuple(_field(leaf, name) for name in leaf.model_fields if name != "type"),
        leaf.primary,
        install_command(leaf.extra) if leaf.extra else None,
    )


def _field(leaf: type[Component], name: str) -> Field:
    field = leaf.model_fields[name]
    text = " ".join(field_descriptions(leaf).get(name, "").split())
    return Field(field.alias or name, TypeNotation().kind(field), default_yaml(field) or "", text)


def _sentence(text: str) -> str:
    first = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    return first[:1].upper() + first[1:].partition(". ")[0].rstrip(".") + "."
