"""The mechanism: a folder is a registry, a file in it is a component, a YAML fragment becomes one leaf.

A family is a package `dlx.<family>` whose `__init__` defines one base class with `family = "<family>"`. A leaf is a
module in that package whose name is the component's type. Nothing lists them: `find` imports the one leaf that is
named.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from dlx.evolve import Evolvable
from dlx.nearest import nearest

if TYPE_CHECKING:
    from dlx.rules import CheckContext, Problem

ROOT = __name__.rpartition(".")[0]


class Section(BaseModel, Evolvable):
    """Anything that a recipe's mapping is read into: frozen, closed, strict about numbers."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    @model_validator(mode="wrap")
    @classmethod
    def _explain_unknown_fields(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise _with_suggestions(error, cls) from None

    addresses: ClassVar[tuple[str, ...]] = ()
    """The fields with an address to which something is sent, be it a name on a hub."""

    def check(self, context: CheckContext) -> Iterable[Problem]:
        """Return what this refuses, or warns of, given the rest of the recipe and its data; places start here.

        It is asked twice: before networks are planned, and with them, if nothing was refused.
        """
        return ()


class Component(Section):
    """A piece of an experiment that a recipe names by `type`."""

    family: ClassVar[str] = ""
    primary: ClassVar[str | None] = None
    """The field that a bare value stands for: `{max_pool: 2}` is `{type: max_pool, kernel: 2}`."""
    unbuilt_fields: ClassVar[Mapping[str, str]] = {}
    """Fields on which what is built does not depend, each with what they are for."""
    extra: ClassVar[str | None] = None
    """The optional dependency group that the component needs."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Import names of the optional packages that the component needs."""

    type: str
    """Which component this is."""

    @model_validator(mode="wrap")
    @classmethod
    def _resolve(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, cls):
            return value
        if "family" not in cls.__dict__:
            return handler(value)
        fields = cls.read(value)
        return cast(Self, find(cls.family, fields["type"]).model_validate(fields))

    @classmethod
    def read(cls, value: Any) -> dict[str, Any]:
        """Turn any spelling of a component of this family into a mapping with a `type`.

        `relu` · `{type: relu}` · `{conv: {channels: 6}}` · `{max_pool: 2}`
        """
        if isinstance(value, str):
            return {"type": value}
        if isinstance(value, Mapping) and isinstance(value.get("type"), str):
            return dict(value)
        if isinstance(value, Mapping) and len(value) == 1:
            (name, inner), *_ = value.items()
            if isinstance(name, str) and name != "type":
                return cls._read_single_key(name, inner)
        what = cls.__name__.lower()
        raise PydanticCustomError(
            "not_a_component",
            "{article} {what} is written as its name, as {type: name, …}, or as {name: {…}}",
            {
                "article": "an" if what[0] in "aeiou" else "a",
                "what": what,
                "suggestion": _suggest_spelling(cls.family, value),
            },
        )

    @classmethod
    def _read_single_key(cls, name: str, inner: Any) -> dict[str, Any]:
        if isinstance(inner, Mapping):
            return {**inner, "type": name}
        leaf = find(cls.family, name)
        if inner is None or inner is True:
            return {"type": name}
        if leaf.primary is None:
            needed = ", ".join(f"{n}: …" for n, f in leaf.model_fields.items() if f.is_required())
            context = {"name": name, "suggestion": f"write {{{name}: {{{needed or '…'}}}}}"}
            raise PydanticCustomError("no_primary", "{name} takes a mapping of fields", context)
        return {"type": name, leaf.primary: inner}


def _suggest_spelling(family: str, value: Any) -> str:
    """Say how a value that is no component of the family would be written as one; "" where that is not clear."""
    known = types(family)
    if isinstance(value, list) and len(value) == 1 and value[0] in known:
        return f"write {value[0]}"
    if not isinstance(value, Mapping):
        return ""
    if value and all(key in known for key in value):
        return f"these are {len(value)} of them: write [{', '.join(f'{{{key}: …}}' for key in value)}]"
    named = next((key for key, inner in value.items() if isinstance(inner, str) and inner in known), None)
    return "write type: … in it" if named is None else f"write type: {value[named]} in place of {named}: {value[named]}"


def field_names(cls: type[BaseModel]) -> list[str]:
    """Names by which the fields of a section are written in YAML."""
    return [f.alias or name for name, f in cls.model_fields.items()]


def _with_suggestions(error: ValidationError, cls: type[BaseModel]) -> ValidationError:
    """Return the error with each unknown field of this very section explained: what it is near to, what there is."""
    details: list[InitErrorDetails] = []
    for line in error.errors(include_url=False):
        kind: Any = line["type"]
        context = line.get("ctx", {})
        if kind == "extra_forbidden" and len(line["loc"]) == 1:
            known = field_names(cls)
            context = {"field": str(line["loc"][0]), "known": known, "section": cls.__name__}
            context["suggestion"] = (nearest(str(line["loc"][0]), known) or [""])[0]
            kind = PydanticCustomError("unknown_field", "unknown field '{field}'", context)
        elif not _is_standard(kind):
            kind = PydanticCustomError(kind, line["msg"], context)
        details.append(InitErrorDetails(type=kind, loc=line["loc"], input=line["input"], ctx=context))
    return ValidationError.from_exception_data(error.title, details)


@cache
def _standard_types() -> frozenset[str]:
    return frozenset(get_args(core_schema.ErrorType))


def _is_standard(kind: str) -> bool:
    return kind in _standard_types()


def find(family: str, name: str) -> type[Component]:
    """Import the one leaf `dlx.<family>.<name>` and return its class.

    Raises: PydanticCustomError `unknown_type` with the nearest names, or `wrong_family` with the family that has it;
    `missing_package` where the leaf's optional package is not installed.
    """
    if name not in types(family):
        raise _unknown_type(family, name)
    leaf = leaf_class(family, name)
    absent = [p for p in leaf.requires if importlib.util.find_spec(p) is None]
    if absent:
        from dlx.installation import install_command

        raise PydanticCustomError(
            "missing_package",
            "{name} needs {packages}",
            {"name": name, "packages": ", ".join(absent), "suggestion": install_command(leaf.extra or "")},
        )
    return leaf


@cache
def leaf_class(family: str, name: str) -> type[Component]:
    """Return the component class that the module `dlx.<family>.<name>` defines."""
    base = base_class(family)
    module = importlib.import_module(f"{ROOT}.{family}.{name}")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__:
            field = value.model_fields.get("type")
            if field is not None and field.default == name:
                return value
    raise TypeError(f"{module.__name__} defines no {base.__name__} whose type is {name!r}")


def types(family: str) -> tuple[str, ...]:
    """Names of all components of a family, from its folders alone; nothing is imported but the family."""
    package = importlib.import_module(f"{ROOT}.{family}")
    return _modules(tuple(package.__path__))


@cache
def _modules(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_")}))


@cache
def families() -> tuple[str, ...]:
    """Names of all families: the sub-packages whose `__init__` defines a base with that family's name.

    They are read, not imported: what stands above the families is none of theirs.
    """
    root = importlib.import_module(ROOT)
    return tuple(sorted(m.name for m in pkgutil.iter_modules(root.__path__) if m.ispkg and _declares_family(m.name)))


def _declares_family(name: str) -> bool:
    spec = importlib.util.find_spec(f"{ROOT}.{name}")
    if spec is None or spec.origin is None:
        return False
    text = Path(spec.origin).read_text(encoding="utf-8")
    return re.search(rf"^ +family\b[^=\n]*= \"{name}\"$", text, re.MULTILINE) is not None


def base_class(family: str) -> type[Component]:
    """Return the base class of a family."""
    base = _base_or_none(family)
    if base is None:
        raise TypeError(f"{ROOT}.{family} is not a family of components")
    return base


@cache
def _base_or_none(family: str) -> type[Component] | None:
    for value in vars(importlib.import_module(f"{ROOT}.{family}")).values():
        if isinstance(value, type) and issubclass(value, Component) and value.__dict__.get("family") == family:
            return value
    return None


def _unknown_type(family: str, name: str) -> PydanticCustomError:
    what = base_class(family).__name__.lower()
    near = nearest(name, list(types(family)), n=3)
    context = {"name": name, "what": what, "family": family, "suggestion": near[0] if near else ""}
    elsewhere = [f for f in families() if f != family and name in types(f)]
    if elsewhere and not near:
        context["elsewhere"] = elsewhere[0]
        return PydanticCustomError(
            "wrong_family", "'{name}' is not one of the {family}; it is one of the {elsewhere}", context
        )
    return PydanticCustomError("unknown_type", "unknown {what} '{name}'", context)


def _read_named(value: Any) -> Any:
    """Read a named map: `{grad_clip: {norm: 1}, ema: null}` or a list of components."""
    if isinstance(value, list):
        named = [(next(iter(v)) if isinstance(v, Mapping) and "type" not in v and v else _type_of(v), v) for v in value]
        return dict(named)
    if not isinstance(value, Mapping):
        return value
    return {k: _read_entry(k, v) for k, v in value.items() if v is not None and v is not False}


def _type_of(value: Any) -> Any:
    return value.get("type") if isinstance(value, Mapping) else getattr(value, "type", value)


def _read_entry(key: Any, value: Any) -> Any:
    if isinstance(value, Component) or (isinstance(value, Mapping) and "type" in value):
        return value
    return {key: value}


C = TypeVar("C")
Named = Annotated[dict[str, C], BeforeValidator(_read_named)]
"""Components keyed by their type or by a name of the user's, so that `extends` adds without dropping; null removes
one."""
