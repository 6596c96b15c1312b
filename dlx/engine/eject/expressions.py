"""Objects as the Python calls that make them: torch's modules and optimizers by their constructors' parameters.

What a constructor was given is read from the attributes of the same names. Every call is checked: the object that it
makes has the same description and the same tensors, or the object cannot be written.
"""

from __future__ import annotations

import ast
import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

STANDARD = {"torch", "math", "collections", "typing", "functools", "itertools", "__future__"}
"""Packages that a file may import whose classes are copied into a project."""
SKIPPED = ("device", "dtype")
MISSING = object()
INDENT = 4
WIDTH = 100


class NotExpressibleError(Exception):
    """An object cannot be written as a call; the message says which and why, `section` where the recipe asks for it."""

    section = "model"

    def within(self, section: str) -> NotExpressibleError:
        """Return the same error, in another section of the recipe."""
        self.section = section
        return self


class CallWriter:
    """Writes calls, and collects the files whose classes they need.

    files  of dlx's own classes, in the order in which they were needed
    """

    def __init__(self) -> None:
        self.files: list[Path] = []

    def module(self, module: nn.Module, depth: int = 0) -> str:
        """Return the call that makes a module. Raises: NotExpressibleError."""
        if type(module) is nn.Sequential:
            return self._sequential(module, depth)
        kind = type(module)
        args, options = constructor_arguments(module, lambda name: getattr(module, name, MISSING))
        with torch.random.fork_rng(devices=[]):
            again = kind(*args, **options)
        if _describe(again) != _describe(module):
            raise NotExpressibleError(f"{kind.__name__} is not what its parameters say")
        if kind.__module__.startswith("torch."):
            args, options = [_simplify(v) for v in args], {k: _simplify(v) for k, v in options.items()}
        return self._call(self.name_of(kind, "nn", nn), args, options)

    def optimizer(self, optimizer: torch.optim.Optimizer, groups: str) -> str:
        """Return the call that makes an optimizer over groups that stand there already. Raises: NotExpressibleError."""
        defaults = {"params": None, **optimizer.defaults}
        _, options = constructor_arguments(optimizer, lambda name: defaults.get(name, MISSING))
        options.pop("params", None)
        name = self.name_of(type(optimizer), "torch.optim", torch.optim)
        return f"{name}({groups}, {', '.join(f'{k}={literal(v)}' for k, v in options.items())})"

    def name_of(self, kind: type, prefix: str, library: Any) -> str:
        """Return how a class is called; the file of one that is no library's is copied. Raises: NotExpressibleError."""
        if getattr(library, kind.__name__, None) is kind:
            return f"{prefix}.{kind.__name__}"
        path = Path(inspect.getfile(kind))
        foreign = imported_packages(path.read_text(encoding="utf-8")) - STANDARD
        if foreign:
            raise NotExpressibleError(f"{kind.__name__} needs {', '.join(sorted(foreign))}")
        if path not in self.files:
            self.files.append(path)
        return kind.__name__

    def _sequential(self, module: nn.Sequential, depth: int) -> str:
        names = list(dict(module.named_children()))
        parts = [self.module(child, depth + 1) for child in module]
        if names != [str(i) for i in range(len(names))]:
            pairs = [f'("{name}", {part})' for name, part in zip(names, parts, strict=True)]
            return f"nn.Sequential(OrderedDict([{_lines(pairs, depth)}]))"
        return f"nn.Sequential({_lines(parts, depth)})"

    def _call(self, name: str, args: list[Any], options: Mapping[str, Any]) -> str:
        said = [self._value(value) for value in args]
        said += [f"{key}={self._value(value)}" for key, value in options.items()]
        return f"{name}({', '.join(said)})"

    def _value(self, value: Any) -> str:
        return self.module(value) if isinstance(value, nn.Module) else literal(value)


def _lines(parts: list[str], depth: int) -> str:
    """Return arguments on one line if they fit, and else on a line each."""
    one = ", ".join(parts)
    if len(one) + INDENT * (depth + 4) < WIDTH and "\n" not in one:
        return one
    inner, outer = " " * INDENT * (depth + 3), " " * INDENT * (depth + 2)
    return "\n" + "".join(f"{inner}{part},\n" for part in parts) + outer


def constructor_arguments(made: Any, value_of: Callable[[str], Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments that a constructor was given: those without a default, and others that differ from theirs.

    Torch keeps all parameters but those that are deprecated, which have a default.
    Raises: NotExpressibleError if a parameter is not known.
    """
    args: list[Any] = []
    options: dict[str, Any] = {}
    is_torch = type(made).__module__.startswith("torch.")
    for name, parameter in list(inspect.signature(type(made).__init__).parameters.items())[1:]:
        if name in SKIPPED or name.startswith("_"):
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise NotExpressibleError(f"{type(made).__name__} does not name its parameters")
        value = value_of(name)
        if value is MISSING and is_torch and parameter.default is not parameter.empty:
            continue
        if value is MISSING:
            raise NotExpressibleError(f"{type(made).__name__} does not keep its parameter {name}")
        if name == "bias" and isinstance(parameter.default, bool):
            value = value is not None and value is not False
        if parameter.default is parameter.empty:
            args.append(value)
        elif not _same(_simplify(value) if is_torch else value, parameter.default):
            options[name] = value
    return args, options


def _simplify(value: Any) -> Any:
    """Return 3 for (3, 3), as one writes the size of a kernel."""
    is_even = isinstance(value, tuple) and value and all(type(v) is int and v == value[0] for v in value)
    return value[0] if is_even else value


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, torch.Tensor) or isinstance(default, torch.Tensor):
        return value is default
    return (type(value) is type(default) and bool(value == default)) or bool(value == default and value is not True)


def literal(value: Any) -> str:
    """Return a plain value as Python writes it. Raises: NotExpressibleError if it is none."""
    if isinstance(value, torch.Tensor) and value.numel() <= WIDTH:
        return f"torch.tensor({value.tolist()})"
    if isinstance(value, dict | OrderedDict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        inner = ", ".join(map(literal, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str):
        return '"' + value + '"' if '"' not in value and "\\" not in value else repr(value)
    raise NotExpressibleError(f"a {type(value).__name__} has no spelling in Python")


def imported_packages(text: str) -> set[str]:
    """Return the packages that a file imports, those for type checkers aside."""
    found: set[str] = set()
    for node in _without_type_checking(ast.parse(text).body):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in inner.names}
            elif isinstance(inner, ast.ImportFrom):
                found.add((inner.module or "").partition(".")[0])
    return found


def _without_type_checking(body: list[ast.stmt]) -> list[ast.stmt]:
    return [n for n in body if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")]


def split_file(text: str) -> tuple[list[str], str]:
    """Return the imports of a file that is copied, and its definitions without its docstring."""
    lines, body = text.splitlines(), _without_type_checking(ast.parse(text).body)
    imports = [ast.unparse(n) for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
    rest = [n for n in body if not isinstance(n, ast.Import | ast.ImportFrom | ast.Expr)]
    starts = [min([n.lineno, *(d.lineno for d in getattr(n, "decorator_list", []))]) for n in rest]
    parts = ["\n".join(lines[start - 1 : n.end_lineno]) for start, n in zip(starts, rest, strict=True)]
    return [line for line in imports if "__future__" not in line and "TYPE_CHECKING" not in line], "\n\n\n".join(parts)


def _describe(module: nn.Module) -> dict[str, str]:
    """Return what a module says of its parameters, and the shapes of its tensors."""
    names = inspect.signature(type(module).__init__).parameters
    plain = {name: str(_simplify(getattr(module, name, None))) for name in names}
    shapes = {f"{name}:": f"{value.shape} {value.dtype}" for name, value in module.state_dict().items()}
    return {**{name: text for name, text in plain.items() if not text.startswith("Parameter")}, **shapes}
