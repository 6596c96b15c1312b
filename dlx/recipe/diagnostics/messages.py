"""What the schema's errors say to a person: a message and, where there is one, what to write instead."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dlx.component import families, types
from dlx.nearest import nearest

SYNONYMS = {"learning_rate": "lr", "metric": "metrics", "batchsize": "batch_size", "num_epochs": "epochs"}
"""Fields under the names that other programs have for them."""
HOMES = {"metrics": "task.metrics", "loss": "task.loss"}
"""Where fields live that only some components of a section have."""
Sections = Mapping[str, Collection[str]]
"""Field names of every section of a recipe."""


@dataclass(frozen=True)
class FieldError:
    """One error of the schema: its kind, what it knows, the value that it refuses, and who holds that value."""

    kind: str
    context: Mapping[str, Any]
    value: Any
    message: str
    field: str
    owner: str
    shown: str

    @property
    def expected_values(self) -> list[str]:
        """What would have been right, if that is all there is to say."""
        if self.kind == "literal_error":
            return choices(self)
        return [_EXPECTED[self.kind]] if self.kind in _EXPECTED else []


Explained = tuple[str, str, str]
"""Code, message, suggestion."""

_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
    "none_required": "null",
}
_BOUNDS = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", "≥"),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "≤"),
    "multiple_of": ("multiple_of", "a multiple of"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least", "items"),
    "too_long": ("max_length", "at most", "items"),
    "string_too_short": ("min_length", "at least", "characters"),
    "string_too_long": ("max_length", "at most", "characters"),
}
_SPOKEN = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def show_value(value: Any) -> str:
    """Write a value as a recipe would, shortened."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…" + text[-1]


def explain(problem: FieldError, sections: Sections) -> Explained:
    """Return code, message and suggestion of one error."""
    if problem.kind == "unknown_field":
        return _unknown_field(problem, sections)
    if problem.kind in ("unknown_type", "wrong_family"):
        return _unknown_type(problem, sections)
    if problem.kind in _BOUNDS:
        name, sign = _BOUNDS[problem.kind]
        return "DLX305", f"`{problem.field}` must be {sign} {problem.context[name]}, but is {problem.shown}", ""
    if problem.kind in _LENGTHS:
        name, bound, what = _LENGTHS[problem.kind]
        number = problem.context[name]
        return "DLX312", f"`{problem.field}` must have {bound} {number} {what if number != 1 else what[:-1]}", ""
    if problem.expected_values:
        return wrong_type([problem])
    return _RARE.get(problem.kind, _other)(problem)


def wrong_type(problems: list[FieldError]) -> Explained:
    """Explain one value that is none of several things that it might be."""
    first = problems[0]
    expected_values = list(dict.fromkeys(e for p in problems for e in p.expected_values))
    code = "DLX306" if all(p.kind == "literal_error" for p in problems) else "DLX304"
    known = [c for p in problems if p.kind == "literal_error" for c in choices(p)]
    suggestion = next(filter(None, (_suggest_value(p, known) for p in problems)), "")
    alternatives = (
        ", ".join(expected_values[:-1]) + " or " + expected_values[-1]
        if len(expected_values) > 1
        else expected_values[0]
    )
    return code, f"`{first.field}` must be {alternatives}, but is {first.shown}", suggestion


def choices(problem: FieldError) -> list[str]:
    """Return the choices of a `literal_error` as they would be written."""
    return [c.strip("'") for c in re.findall(r"'[^']*'|[^\s,]+", str(problem.context.get("expected", ""))) if c != "or"]


def _suggest_value(problem: FieldError, known: list[str]) -> str:
    value = problem.value
    if problem.kind.startswith("bool") and isinstance(value, str) and value.lower() in _SPOKEN:
        return f"write {_SPOKEN[value.lower()]}"
    if problem.kind in ("int_type", "int_from_float") and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    if (
        problem.kind in ("int_type", "float_type")
        and isinstance(value, str)
        and re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", value)
    ):
        return "leave out the quotes"
    if problem.kind == "string_type" and isinstance(value, (int, float)):
        return f'put it in quotes: "{show_value(value)}"'
    if problem.kind in ("list_type", "tuple_type") and isinstance(value, (str, int, float)):
        return f"write [{problem.shown.strip(chr(39))}]"
    if problem.kind != "literal_error" or not isinstance(value, (str, int, float)):
        return ""
    near = nearest(str(value), known) or [k for k in known if str(value) and k.startswith(str(value))]
    return f"did you mean {near[0]}?" if near else ""


def _unknown_field(problem: FieldError, sections: Sections) -> Explained:
    name, known = str(problem.context.get("field", problem.field)), problem.context.get("known", [])
    message = f"unknown field '{name}' in {problem.owner}"
    head, colon, tail = name.partition(":")
    if colon and head in known:
        return "DLX301", message, f"write a blank after the colon: {head}: {tail}"
    meant = SYNONYMS.get(name, name)
    near = meant if meant in known else problem.context.get("suggestion", "")
    if near:
        return "DLX301", message, f"did you mean '{near}'?"
    is_section = not sections.get(name) or isinstance(problem.value, Mapping)
    elsewhere = _elsewhere(meant, sections, in_component="type" in known) if is_section else ""
    if elsewhere:
        return "DLX301", message, elsewhere
    return "DLX301", message, f"it has {', '.join(map(str, known))}" if known else "it has no fields"


def _elsewhere(name: str, sections: Sections, in_component: bool) -> str:
    """Say where a field belongs; a word that is merely like one of another section's is no typo in a component."""
    if name in sections:
        return f"`{name}` is a section of its own: it belongs at the top of the recipe"
    exact = [f"{section}.{name}" for section, fields in sections.items() if name in fields]
    if exact:
        return f"it lives in {exact[0]}"
    if name in HOMES:
        return f"it lives in {HOMES[name]}"
    if in_component:
        return ""
    section = next((s for family in families() if name in types(family) and (s := _section_of(family, sections))), "")
    if section:
        return f"it belongs in `{section}`"
    where = {field: f"{section}.{field}" for section, fields in sections.items() for field in fields}
    near = nearest(name, list(where))
    return f"did you mean {where[near[0]]}?" if near else ""


def _unknown_type(problem: FieldError, sections: Sections) -> Explained:
    family = str(problem.context.get("family", ""))
    if problem.kind == "wrong_family":
        elsewhere = str(problem.context.get("elsewhere", ""))
        section = _section_of(elsewhere, sections)
        return "DLX311", problem.message, f"it belongs in `{section}`" if section else f"see `dlx list {elsewhere}`"
    near = problem.context.get("suggestion", "")
    return "DLX302", problem.message, f"did you mean '{near}'?" if near else f"`dlx list {family}` shows what there is"


def _section_of(family: str, sections: Sections) -> str:
    """Return the section, or a field of one, that holds a family of components: its name begins the family's name."""
    paths = {name: name for name in sections}
    paths |= {field: f"{section}.{field}" for section, fields in sections.items() for field in fields}
    return next((path for name, path in paths.items() if len(name) > 3 and family.startswith(name)), "")


def _missing(problem: FieldError) -> Explained:
    if problem.field.isdigit():
        return "DLX312", f"{problem.owner} has too few items", ""
    return "DLX303", f"{problem.owner} needs `{problem.field}`", f"write {problem.field}: …"


def _not_finite(problem: FieldError) -> Explained:
    return "DLX307", f"`{problem.field}` must be a finite number, but is {problem.shown}", ""


def _not_a_component(problem: FieldError) -> Explained:
    if isinstance(problem.value, Mapping):
        return "DLX308", f"{problem.message}, but this is a mapping without a type", _suggestion(problem)
    return "DLX308", f"{problem.message}, but this is {problem.shown}", _suggestion(problem)


def _no_primary(problem: FieldError) -> Explained:
    return "DLX308", problem.message, _suggestion(problem)


def _suggestion(problem: FieldError) -> str:
    return str(problem.context.get("suggestion", ""))


def _missing_package(problem: FieldError) -> Explained:
    return "DLX309", f"{problem.message}, which is not installed", str(problem.context.get("suggestion", ""))


def _pattern(problem: FieldError) -> Explained:
    return "DLX312", f"`{problem.field}` may not be {problem.shown}: it must match {problem.context.get('pattern')}", ""


def _other(problem: FieldError) -> Explained:
    return (
        "DLX310",
        re.sub("^(Value|Assertion) (error|failed), ", "", problem.message),
        str(problem.context.get("suggestion", "")),
    )


_RARE: dict[str, Callable[[FieldError], Explained]] = {
    "missing": _missing,
    "finite_number": _not_finite,
    "not_a_component": _not_a_component,
    "no_primary": _no_primary,
    "missing_package": _missing_package,
    "string_pattern_mismatch": _pattern,
}
