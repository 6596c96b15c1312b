"""Reference pages in Markdown: a page for each family and for the sections of a recipe, written from the specs alone.

The words are the docstrings and field descriptions that `dlx show` and the editor's schema use as well.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dlx.component import Component, base_class, families, leaf_class, types
from dlx.installation import DISTRIBUTION
from dlx.recipe.schema.field_docs import field_descriptions
from dlx.recipe.schema.field_types import TypeNotation, class_name, default_yaml
from dlx.recipe.schema.recipe import Recipe
from dlx.reference.codes import Code, codes

_INSTALL = f"`pip install '{DISTRIBUTION}[{{extra}}]'`, or `pip install -e '.[{{extra}}]'` in a clone"
_LABELED = re.compile(r"^([A-Z][a-z]+):\s+(?=\S)")
_SPECIAL = re.compile(r"[*<\[\]]|(?<!\w)_|_(?!\w)")
_CODE_SPAN = re.compile(r"(`[^`]*`)")


def pages() -> dict[str, str]:
    """Return every reference page by its file name."""
    written = {f"{family}.md": _family_page(family) for family in families()}
    return {"README.md": _index(), "codes.md": _codes_page(), "recipe.md": _recipe_page(), **written}


def _index() -> str:
    rows = [f"| [{f}]({f}.md) | {len(types(f))} | {_cell(_summary(f))} |" for f in families()]
    return _page(
        "# Reference",
        "Written by `make docs` from the specifications in `dlx/`; a test holds that it is up to date.",
        "- [The sections of a recipe](recipe.md)\n- [Error codes](codes.md)",
        "\n".join(["| Family | Components | What they are |", "|---|---|---|", *rows]),
    )


def _family_page(family: str) -> str:
    base = base_class(family)
    names = types(family)
    places = ", ".join(f"`{place}`" for place in sorted(_places(base)))
    shared = [*_shared_fields(base)]
    return _page(
        f"# {family.replace('_', ' ').capitalize()}",
        _escape(_summary(family)),
        f"Written at {places}." if places else "",
        *_docstring_blocks(base),
        *(["Every one of them has these fields:", *shared] if shared else []),
        " · ".join(f"[{name}](#{name})" for name in names),
        *(part for name in names for part in _component(leaf_class(family, name), base)),
    )


def _component(leaf: type[Component], base: type[Component]) -> Iterator[str]:
    yield f"## {leaf.model_fields['type'].default}"
    yield from _docstring_blocks(leaf)
    own = {
        name: f
        for name, f in leaf.model_fields.items()
        if name not in base.model_fields or f.default != base.model_fields[name].default
    }
    own.pop("type", None)
    if own:
        yield _table(leaf, own)
    if leaf.primary is not None:
        yield f"A bare value stands for `{leaf.primary}`."
    if leaf.extra is not None:
        yield f"Needs the extra `{leaf.extra}`: {_INSTALL.format(extra=leaf.extra)}."
    for section in _inner_sections(own):
        yield f"### {section.__name__}"
        yield from _docstring_blocks(section)
        yield _table(section, section.model_fields)


def _recipe_page() -> str:
    sections: list[type[BaseModel]] = [Recipe, *_inner_sections(Recipe.model_fields)]
    parts = [part for section in sections for part in _section(section)]
    return _page(
        "# The sections of a recipe", "[The recipe language](../language.md) says how they are written.", *parts
    )


def _section(section: type[BaseModel]) -> Iterator[str]:
    yield f"## {section.__name__}"
    yield from _docstring_blocks(section)
    yield _table(section, section.model_fields)


def _codes_page() -> str:
    rows = [f"| [{code}](#{code.lower()}) | {_cell(_sentence(found.title))} |" for code, found in codes().items()]
    intro = "Also printed by `dlx show error CODE`. [How diagnostics look](../errors.md)."
    table = "\n".join(["| Code | Meaning |", "|---|---|", *rows])
    return _page("# Error codes", intro, table, *(p for c, found in codes().items() for p in _code(c, found)))


def _code(code: str, found: Code) -> Iterator[str]:
    yield f"## {code}"
    kind = "" if found.severity == "error" else " A warning: the recipe is planned and trained all the same."
    yield f"**{_escape(_sentence(found.title))}.**{kind}"
    yield _escape(found.what)
    yield f"**Why it is bad.** {_escape(_sentence(found.why))}" if found.what or found.instead else _escape(found.why)
    yield f"**What to write.** {_escape(_sentence(found.instead))}" if found.instead else ""
    for title, text in (("Wrong:", found.wrong), ("Right:", found.right)):
        if text:
            yield f"{title}\n\n```text\n{text.rstrip()}\n```"


def _page(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _summary(family: str) -> str:
    module = inspect.getdoc(inspect.getmodule(base_class(family))) or family
    sentence = " ".join(module.split("\n\n")[0].split())
    return _sentence(sentence.partition(": ")[2] or sentence)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _docstring_blocks(cls: type[BaseModel]) -> Iterator[str]:
    """Yield a docstring in Markdown: paragraphs, labeled lines as a list, indented text and the example as blocks."""
    doc, _, example = (inspect.getdoc(cls) or "").partition("\nExample:\n")
    for paragraph in re.split(r"\n\s*\n", doc):
        if paragraph.startswith("    "):
            yield f"```text\n{dedent(paragraph).rstrip()}\n```"
        elif _LABELED.match(paragraph):
            yield "\n".join(_label_list(paragraph.splitlines()))
        elif re.search(r"\n\s{2,}", paragraph) or re.search(r"^\S+  +\S", paragraph, re.MULTILINE):
            yield f"```text\n{paragraph.rstrip()}\n```"
        elif paragraph.strip():
            yield _escape(" ".join(paragraph.split()))
    if example:
        yield f"```yaml\n{dedent(example).strip()}\n```"


def _label_list(lines: list[str]) -> Iterator[str]:
    for line in lines:
        label = _LABELED.match(line)
        text = _escape(line[label.end() :] if label else line.strip())
        yield f"- **{label[1]}:** {text}" if label else f"  {text}"


def _shared_fields(base: type[Component]) -> Iterator[str]:
    fields = {name: f for name, f in base.model_fields.items() if name != "type"}
    if fields:
        yield _table(base, fields)


def _table(section: type[BaseModel], fields: dict[str, FieldInfo]) -> str:
    texts = field_descriptions(section)
    rows = [
        f"| `{f.alias or name}` | {_WORDING.kind(f)} | {_default(f)} | {_cell(texts.get(name, ''))} |"
        for name, f in fields.items()
    ]
    return "\n".join(["| Field | Type | Default | Meaning |", "|---|---|---|---|", *rows])


def _default(field: FieldInfo) -> str:
    written = default_yaml(field)
    return "**required**" if written is None else f"`{written}`"


def _link(cls: type) -> str:
    page = f"{cls.family}.md" if issubclass(cls, Component) else f"#{cls.__name__.lower()}"
    return f"[{class_name(cls)}]({page})"


def _cell_code(text: str) -> str:
    escaped = text.replace("|", r"\|")
    return f"`{escaped}`"


_WORDING = TypeNotation(_cell_code, _link)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inside in get_args(annotation):
        yield from _models_in(inside)


def _inner_sections(fields: dict[str, FieldInfo]) -> list[type[BaseModel]]:
    """Return the sections, not components, that fields hold, and those inside of them."""
    found: dict[type[BaseModel], None] = {}
    for field in fields.values():
        for cls in _models_in(field.annotation):
            if not issubclass(cls, Component) and cls not in found:
                found |= dict.fromkeys([cls, *_inner_sections(cls.model_fields)])
    return list(found)


def _places(base: type[Component]) -> Iterator[str]:
    """Yield where a recipe writes components of a family."""
    holders: list[tuple[str, type[BaseModel]]] = [("", Recipe)]
    holders += [(f"{name}.", cls) for name, f in Recipe.model_fields.items() for cls in _sections_of(f)]
    holders += [(f"{name}.", leaf_class(family, name)) for family in families() for name in types(family)]
    for prefix, cls in holders:
        for name, field in cls.model_fields.items():
            inherited = any(name in getattr(parent, "model_fields", ()) for parent in cls.__mro__[1:])
            if base in _models_in(field.annotation) and not inherited:
                yield f"{prefix}{name}"


def _sections_of(field: FieldInfo) -> list[type[BaseModel]]:
    return [cls for cls in _models_in(field.annotation) if not issubclass(cls, Component)]


def _escape(text: str) -> str:
    """Protect what Markdown would take for its own outside of code spans."""
    parts = _CODE_SPAN.split(text)
    return "".join(p if p.startswith("`") else _SPECIAL.sub(r"\\\g<0>", p) for p in parts)


def _cell(text: str) -> str:
    return " ".join(_escape(text).replace("|", r"\|").split())
