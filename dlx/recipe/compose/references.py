"""References: "${vars.width}", "${train.epochs}", "${env:HOME}", "${env:X,default}". Lookups only, no expressions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dlx.diagnostic import Diagnostic
from dlx.errors import RecipeError
from dlx.permissions import is_readable
from dlx.recipe.yaml.node import MAX_DEPTH, MAX_NODES, Node, Scalar
from dlx.recipe.yaml.scalars import AmbiguousError, resolve

REFERENCE = re.compile(r"\$\{([^${}]*)\}")
_ENVIRONMENT = re.compile(r"env:\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:,(.*))?\Z", re.DOTALL)
MAX_TEXT = 100_000
ENVIRONMENT_IN_ADDRESS = (
    "an address may not hold what came from the environment: whoever answers there would learn it",
    "write the address itself; for a tracker, set MLFLOW_TRACKING_URI or give --tracking-uri",
)
"""What is wrong with such an address, and what to write instead."""


@dataclass
class Resolver:
    """Replaces every reference in a recipe by what it refers to, and collects what is wrong in `problems`."""

    root: Node
    environment: dict[str, str] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)
    active: dict[int, str] = field(default_factory=dict)
    done: dict[int, Node] = field(default_factory=dict)
    count: int = 0

    def resolve(self) -> Node:
        """Return the recipe without references. Raises: RecipeError if it becomes too large."""
        return self._resolve(self.root, 0)

    def _resolve(self, node: Node, depth: int) -> Node:
        self._grow(node, depth)
        if isinstance(node.value, dict):
            keep = self._macros(node.value)
            items = node.value.items()
            return replace(node, value={k: n if k in keep else self._resolve(n, depth + 1) for k, n in items})
        if isinstance(node.value, list):
            return replace(node, value=[self._resolve(n, depth + 1) for n in node.value])
        if isinstance(node.value, str) and "${" in node.value:
            return self._text(node, node.value, depth)
        return node

    @staticmethod
    def _macros(value: dict[str, Node]) -> tuple[str, ...]:
        """The definitions of blocks keep the references to their parameters."""
        blocks = value.get("blocks")
        return ("blocks",) if blocks is not None and isinstance(blocks.value, dict) and "layers" in value else ()

    def _grow(self, node: Node, depth: int, count: int = 1) -> None:
        self.count += count
        if self.count > MAX_NODES or depth > 2 * MAX_DEPTH:
            message = "references make this recipe larger than a recipe may be"
            raise RecipeError([*self.problems, Diagnostic.from_mark(node.mark, "DLX103", message)])

    def _text(self, node: Node, text: str, depth: int) -> Node:
        whole = REFERENCE.fullmatch(text)
        if whole:
            found = self._look_up(node, whole[1].strip(), depth)
            if found is None:
                return node
            origin = () if found.secret else (found.mark, *found.origin)
            return replace(found, mark=node.mark, history=node.history, via=node.via, origin=origin)
        if "${" in REFERENCE.sub("", text):
            self._complain(
                node, "DLX205", "a reference is not closed, or holds another one", 'write "${section.field}"'
            )
            return node
        return self._interpolate(node, text, depth)

    def _interpolate(self, node: Node, text: str, depth: int) -> Node:
        secret = False
        parts: list[str] = []
        for i, part in enumerate(REFERENCE.split(text)):
            found = self._look_up(node, part.strip(), depth) if i % 2 else None
            if i % 2 == 0:
                parts.append(part)
            elif found is not None and isinstance(found.value, (dict, list)):
                self._complain(
                    node, "DLX205", f"'{part}' is not one value, so it cannot stand inside a text", "use it alone"
                )
            elif found is not None:
                secret = secret or found.secret
                parts.append(_to_text(found.value))
            if sum(map(len, parts)) > MAX_TEXT:
                raise RecipeError(
                    [*self.problems, Diagnostic.from_mark(node.mark, "DLX103", "references make this text too long")]
                )
        whole = "".join(parts)
        if secret and "://" in whole:
            self._complain(node, "DLX216", *ENVIRONMENT_IN_ADDRESS)
        return replace(node, value=whole, secret=secret)

    def _look_up(self, node: Node, name: str, depth: int) -> Node | None:
        """Return what a name refers to, itself without references; None after a complaint."""
        if name.startswith("env:"):
            return self._environment(node, name)
        target = self.root.find(tuple(name.split(".")))
        if target is None:
            self._unknown(node, name)
            return None
        if id(target) in self.active:
            names = list(self.active.values())
            circle = " → ".join([*names[names.index(self.active[id(target)]) :], name])
            self._complain(node, "DLX204", f"this reference leads back to itself: {circle}", "give one of them a value")
            return None
        if id(target) not in self.done:
            self.active[id(target)] = name
            self.done[id(target)] = self._resolve(target, depth + 1)
            del self.active[id(target)]
        found = self.done[id(target)]
        size, height = found.size()
        self._grow(node, depth + height, size)
        return found

    def _environment(self, node: Node, name: str) -> Node | None:
        match = _ENVIRONMENT.match(name)
        if not match:
            self._complain(
                node,
                "DLX205",
                f"'{name}' names no environment variable",
                'write "${env:NAME}" or "${env:NAME,default}"',
            )
            return None
        if not is_readable(match[1]):
            message = f"a recipe may not read the environment variable {match[1]}"
            self._complain(node, "DLX215", message, f"allow it: --env {match[1]}")
            return None
        value = os.environ.get(match[1])
        if value is not None:
            if value:
                self.environment[value] = match[1]
            return replace(node, value=_parse_scalar(value), secret=True)
        if match[2] is not None:
            return replace(node, value=_parse_scalar(match[2].strip()))
        suggestion = f'set it, or give a default: "${{env:{match[1]},…}}"'
        self._complain(node, "DLX206", f"the environment variable {match[1]} is not set", suggestion)
        return None

    def _unknown(self, node: Node, name: str) -> None:
        near = nearest_path(self.root, name)
        self._complain(
            node, "DLX203", f"there is no value '{name}' in this recipe", f'did you mean "${{{near}}}"?' if near else ""
        )

    def _complain(self, node: Node, code: str, message: str, suggestion: str) -> None:
        self.problems.append(Diagnostic.from_mark(node.mark, code, message, suggestion, notes=used_at(node)))


def nearest_path(root: Node, name: str) -> str:
    """Return the path in the recipe that a mistyped one may have meant; "" if none is near."""
    from dlx.nearest import nearest

    parts = name.split(".")
    node, right = root, 0
    while right < len(parts) and (child := node.child(parts[right])) is not None:
        node, right = child, right + 1
    known = list(node.value) if isinstance(node.value, dict) else []
    near = nearest(parts[right], known) or [f"vars.{v}" for v in nearest(parts[-1], _names(root, "vars")) if right == 0]
    return ".".join([*parts[:right], near[0], *parts[right + 1 :]]) if near else ""


def used_at(node: Node) -> tuple[str, ...]:
    """Say where the block is used that a node was expanded from."""
    return tuple(f"in the block used at {mark}" for mark in node.via)


def _names(root: Node, section: str) -> list[str]:
    node = root.child(section)
    return list(node.value) if node is not None and isinstance(node.value, dict) else []


def _parse_scalar(text: str) -> Scalar:
    """Read an environment value as a plain word of YAML; what would be ambiguous there stays text."""
    try:
        return resolve(text) if text else text
    except AmbiguousError:
        return text


def _to_text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def interpolate(text: str, values: Mapping[str, Node]) -> str:
    """Return the text with the references that have a single value here replaced; others stay."""

    def to_text(match: re.Match[str]) -> str:
        found = values.get(match[1].strip())
        return match[0] if found is None or isinstance(found.value, (dict, list)) else _to_text(found.value)

    return REFERENCE.sub(to_text, text)
