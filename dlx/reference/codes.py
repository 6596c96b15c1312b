"""Error codes explained: what each means, why it is an error, and how an example is put right.

Codes of the recipe language stand in `codes.yaml`; a rule that a section or component declares is explained by its own
docstring, where it stands.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent, indent

from dlx.component import ROOT, families
from dlx.errors import UsageError
from dlx.nearest import nearest
from dlx.plugins import activate_plugins
from dlx.recipe.yaml.document import read
from dlx.rules import Rule

_DEFINES_RULE = re.compile(r"^class \w+\(Rule\):", re.MULTILINE)
_PART = re.compile(r"^(Why|Instead|Wrong|Right):[ \t]*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Code:
    """What an error code stands for; the examples complete a minimal recipe, or are typed in a shell after a `$`."""

    title: str
    why: str
    wrong: str = ""
    right: str = ""
    what: str = ""
    instead: str = ""
    severity: str = "error"


@cache
def codes() -> dict[str, Code]:
    """Return the explanation of every code, in order."""
    activate_plugins()
    language = read(Path(__file__).with_name("codes.yaml")).plain()
    found = {code: Code(**fields) for code, fields in language.items()}
    found |= {rule.code: explanation_of(rule) for rule in rules()}
    return dict(sorted(found.items()))


def rules() -> Iterator[type[Rule]]:
    """Yield every rule: of the plan, of the recipe's sections and of all components, plugins' among them."""
    names = [ROOT, f"{ROOT}.plan", f"{ROOT}.recipe.schema", *(f"{ROOT}.{family}" for family in families())]
    for name in sorted({module for package in names for module in _modules_with_rules(package)}):
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, Rule) and value.__module__ == name:
                yield value


def _modules_with_rules(package: str) -> Iterator[str]:
    """Yield the modules of a package that define a rule: their text is searched, so that no other is imported."""
    for folder in map(Path, importlib.import_module(package).__path__):
        for file in folder.glob("*.py") if package == ROOT else folder.rglob("*.py"):
            if _DEFINES_RULE.search(file.read_text(encoding="utf-8")) and file.name != "rules.py":
                parts = file.relative_to(folder).with_suffix("").parts
                yield ".".join([package, *parts]).removesuffix(".__init__")


def explanation_of(rule: type[Rule]) -> Code:
    """Return what the docstring of a rule says."""
    head, *parts = _PART.split(inspect.getdoc(rule) or "")
    title, _, what = head.partition("\n\n")
    sections = {name: dedent(text).strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}
    prose = {name: " ".join(sections.get(name, "").split()) for name in ("Why", "Instead")}
    title = title[:1].lower() + title[1:].rstrip(".")
    return Code(
        title,
        f"{prose['Why']}",
        sections.get("Wrong", ""),
        sections.get("Right", ""),
        " ".join(what.split()),
        prose["Instead"],
        rule.severity,
    )


def explain(code: str) -> str:
    """Return the explanation of a code as text. Raises: UsageError if there is no such code."""
    code = code.upper()
    found = codes().get(code)
    if found is None:
        near = nearest(code, list(codes()))
        raise UsageError(f"there is no error code {code}" + (f"; did you mean {near[0]}?" if near else ""))
    return "\n\n".join([f"{code}: {found.title}", *paragraphs(found)])


def paragraphs(found: Code) -> Iterator[str]:
    """Yield what there is to read about a code below its title."""
    if found.what:
        yield found.what
    yield f"Why it is bad: {found.why}" if found.what or found.instead else found.why
    if found.instead:
        yield f"What to write: {found.instead}"
    for label, text in (("Wrong", found.wrong), ("Right", found.right)):
        if text:
            yield f"{label}:\n\n{indent(text, '    ')}"
