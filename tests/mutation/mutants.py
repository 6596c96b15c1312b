"""Mutants: small breaks of a Python file, each of which some test should notice."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
DROPPED_METHODS = frozenset({"abs", "clamp", "clone", "detach", "double", "eval", "float", "sqrt", "square", "t"})
"""Methods `x.method(…)` that a mutant leaves out, so that `x` remains."""
UNBROKEN = (ast.Import, ast.ImportFrom, ast.Raise, ast.JoinedStr, ast.Assert)
"""What is left alone: imports, messages, and assertions that help the type checker."""


@dataclass(frozen=True)
class Mutant:
    """A break of one place: from (row, byte) to (row, byte), rows from 1, `before` is replaced by `after`.

    function is the qualified name of what holds the place, "" at the level of the module; outer_function that of the
    outermost function, "" if the place is in none.
    """

    path: str
    function: str
    outer_function: str
    begin: tuple[int, int]
    end: tuple[int, int]
    before: str
    after: str

    @property
    def key(self) -> str:
        """What identifies the mutant when lines move."""
        return f"{self.path} {self.function}: {self.before} → {self.after}"

    @property
    def is_in_function(self) -> bool:
        """Whether the break is in what a function does: not in a default, in a class, or in the module."""
        return bool(self.outer_function)

    def apply(self, text: str) -> str:
        """Return the file with this break."""
        lines = text.encode().splitlines(keepends=True)
        (first, left), (last, right) = self.begin, self.end
        broken = lines[first - 1][:left] + self.after.encode() + lines[last - 1][right:]
        return b"".join([*lines[: first - 1], broken, *lines[last:]]).decode()


def find_mutants(path: str, text: str) -> list[Mutant]:
    """Return every mutant of a file."""
    return [mutant for mutant in _in_body(path, ast.parse(text), (), "") if mutant.before != mutant.after]


def _in_body(path: str, node: ast.AST, scope: tuple[str, ...], outer: str) -> Iterator[Mutant]:
    is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        scope = (*scope, node.name)
    if is_function and not outer:
        yield from _inside(path, node.args, scope, "")  # type: ignore[attr-defined]
        outer = ".".join(scope)
    yield from _inside(path, node, scope, outer)


def _inside(path: str, node: ast.AST, scope: tuple[str, ...], outer: str) -> Iterator[Mutant]:
    for child in _children(node):
        if isinstance(child, ast.arguments) and outer == ".".join(scope):
            continue
        for changed in _mutations(child):
            after = "pass" if isinstance(changed, ast.Pass) else ast.unparse(changed)
            wrapped = f"({after})" if isinstance(changed, ast.expr) else after
            begin = (child.lineno, child.col_offset)  # type: ignore[attr-defined]
            end = (child.end_lineno, child.end_col_offset)  # type: ignore[attr-defined]
            yield Mutant(path, ".".join(scope), outer, begin, end, ast.unparse(child), wrapped)
        if not isinstance(child, UNBROKEN):
            yield from _in_body(path, child, scope, outer)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a node, but for annotations, decorators, documentation and what only type checkers read."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_text(child):
                yield child


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _mutations(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node is replaced by, one break at a time."""
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if is_call or isinstance(node, (ast.AugAssign, ast.Raise)):
        yield ast.Pass()
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield _changed(node, ops=[COMPARISONS[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield _changed(node, op=ARITHMETIC[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.IfExp):
        yield _changed(node, test=ast.UnaryOp(ast.Not(), node.test))


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node.value, float):
        yield ast.Constant(2 * node.value or 1.0)


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Attribute) and node.func.attr in DROPPED_METHODS:
        yield node.func.value
    for i, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            yield _changed(node, keywords=[k for j, k in enumerate(node.keywords) if j != i])


def _changed(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
