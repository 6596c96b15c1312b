"""Blocks: the user's own vocabulary of layers, written out where it is used.

A mapping with `blocks` beside `layers` defines names for everything inside it. A use becomes a sequence:
`{bottleneck: {channels: 64}}` → `{type: sequential, layers: […]}` with "${channels}" replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from dlx.diagnostic import Diagnostic, Mark, sort_diagnostics
from dlx.errors import RecipeError
from dlx.recipe.compose.references import MAX_TEXT, REFERENCE, interpolate
from dlx.recipe.yaml.node import MAX_DEPTH, MAX_NODES, Node

_OWN_FIELDS = ("name", "type")
"""Fields of a use that belong to the sequence, not to the block."""


@dataclass(frozen=True)
class Block:
    """A definition: its layers, the default of each parameter, and the parameters that have none."""

    name: str
    layers: Node
    defaults: Mapping[str, Node]
    required: tuple[str, ...] = ()

    @property
    def parameters(self) -> list[str]:
        """Every parameter, in the order in which it is written."""
        return [*self.required, *self.defaults]


Scope = Mapping[str, Block | None]
"""The blocks that may be used somewhere; None is one whose definition is wrong, which is said there."""


@dataclass
class Expander:
    """Writes out every use of a block in a recipe, and collects what is wrong with them in `problems`."""

    root: Node
    problems: list[Diagnostic] = field(default_factory=list)
    count: int = 0

    def expand(self) -> Node:
        """Return the recipe with every block written out. Raises: RecipeError if it becomes too large."""
        return self._expand(self.root, {}, ())

    def _expand(self, node: Node, scope: Scope, via: tuple[str, ...], depth: int = 0) -> Node:
        self.count += 1
        if self.count > MAX_NODES or depth > 2 * MAX_DEPTH:
            self._too_large(node, node.via)
        if isinstance(node.value, list):
            return node.with_value([self._item("", n, scope, via, depth) for n in node.value])
        if not isinstance(node.value, dict):
            return node
        inner = self._scope(node, scope)
        keep = ("blocks",) if inner is not scope else ()
        value = {key: self._item(key, n, inner, via, depth) if key not in keep else n for key, n in node.value.items()}
        return node.with_value(value)

    def _item(self, key: str, node: Node, scope: Scope, via: tuple[str, ...], depth: int) -> Node:
        used = None if key in _OWN_FIELDS else self._use(node, scope, via, depth)
        return used or self._expand(node, scope, via, depth + 1)

    def _scope(self, node: Node, outer: Scope) -> Scope:
        blocks = node.child("blocks")
        if blocks is None or node.child("layers") is None or not isinstance(blocks.value, dict):
            return outer
        return {**outer, **{name: self._define(name, n, blocks.keys[name]) for name, n in blocks.value.items()}}

    def _define(self, name: str, node: Node, mark: Mark) -> Block | None:
        if isinstance(node.value, list):
            return Block(name, node, {})
        layers, parameters = node.child("layers"), node.child("parameters")
        unknown = [k for k in node.keys if k not in ("layers", "parameters")]
        if layers is None or not isinstance(layers.value, list) or unknown:
            place = node.keys[unknown[0]] if unknown else mark
            self._complain(place, "DLX211", f"the block '{name}' is not a list of layers with parameters", _DEFINITION)
            return None
        if parameters is None or parameters.value is None:
            block = Block(name, layers, {})
        elif isinstance(parameters.value, dict):
            block = Block(name, layers, parameters.value)
        elif isinstance(parameters.value, list) and all(isinstance(n.value, str) for n in parameters.value):
            block = Block(name, layers, {}, tuple(str(n.value) for n in parameters.value))
        else:
            self._complain(parameters.mark, "DLX211", f"the parameters of block '{name}' are not named", _DEFINITION)
            return None
        self._check_references(block, layers)
        return block

    def _check_references(self, block: Block, node: Node) -> None:
        """Complain about every "${word}" in a block that is neither a parameter nor a value of the recipe."""
        for child in node.children:
            self._check_references(block, child)
        if not isinstance(node.value, str):
            return
        for name in (n.strip() for n in REFERENCE.findall(node.value)):
            if name.isidentifier() and name not in block.parameters and self.root.child(name) is None:
                self._unknown_parameter(block, name, node.mark)

    def _use(self, node: Node, scope: Scope, via: tuple[str, ...], depth: int) -> Node | None:
        """Return what stands for a use of a block; None if this is none."""
        name, given, mark = _read_use(node)
        if name not in scope:
            return None
        block = scope[name]
        if block is None:
            return _nothing(node, mark)
        self.count += 1
        if name in via:
            circle = " → ".join([*via[via.index(name) :], name])
            self._complain(
                mark, "DLX210", f"the block '{name}' holds itself: {circle}", "use `repeat` to apply layers many times"
            )
            return _nothing(node, mark)
        arguments, own = self._arguments(block, given, mark)
        arguments |= {
            k: self._item(k, n, scope, via, depth) for k, n in arguments.items() if n is not block.defaults.get(k)
        }
        body = self._substitute(block.layers, arguments, (*node.via, mark))
        layers = self._expand(body, scope, (*via, name), depth + 1)
        value = {"type": Node("sequential", mark), "layers": layers, **own}
        return Node(value, node.mark, keys=dict.fromkeys(value, mark), history=node.history, via=node.via)

    def _arguments(self, block: Block, given: Node | None, mark: Mark) -> tuple[dict[str, Node], dict[str, Node]]:
        """Return the value of every parameter, and the fields that belong to the sequence itself."""
        arguments = dict(block.defaults)
        own: dict[str, Node] = {}
        if given is not None and isinstance(given.value, dict):
            for key, node in given.value.items():
                if key in block.parameters:
                    arguments[key] = node
                elif key == "name":
                    own[key] = node
                elif key != "type":
                    self._unknown_parameter(block, key, given.keys[key])
        elif given is not None and given.value not in (None, True) and len(block.parameters) == 1:
            arguments[block.parameters[0]] = given
        elif given is not None and given.value not in (None, True):
            example = f"{{{block.name}: {{{', '.join(f'{p}: …' for p in block.parameters)}}}}}"
            self._complain(given.mark, "DLX211", f"the block '{block.name}' takes named parameters", f"write {example}")
        missing = [p for p in block.required if p not in arguments]
        if missing:
            self._complain(
                mark, "DLX212", f"the block '{block.name}' needs {', '.join(missing)}", f"write {missing[0]}: … in it"
            )
            arguments.update({p: Node(None, mark) for p in missing})
        return arguments, own

    def _substitute(self, node: Node, arguments: Mapping[str, Node], via: tuple[Mark, ...]) -> Node:
        """Return a copy of a block's body with its parameters replaced by what is given."""
        self.count += 1
        if isinstance(node.value, dict):
            return node.with_value({k: self._substitute(n, arguments, via) for k, n in node.value.items()}, via)
        if isinstance(node.value, list):
            return node.with_value([self._substitute(n, arguments, via) for n in node.value], via)
        if not isinstance(node.value, str) or "${" not in node.value:
            return node.with_value(node.value, via)
        whole = REFERENCE.fullmatch(node.value)
        if whole and whole[1].strip() in arguments:
            return arguments[whole[1].strip()]
        text = interpolate(node.value, arguments)
        if len(text) > MAX_TEXT:
            self._too_large(node, via)
        return node.with_value(text, via)

    def _too_large(self, node: Node, via: tuple[Mark, ...]) -> NoReturn:
        self._complain(node.mark, "DLX103", "blocks make this recipe larger than a recipe may be", via=via)
        raise RecipeError(sort_diagnostics(self.problems))

    def _unknown_parameter(self, block: Block, key: str, mark: Mark) -> None:
        from dlx.nearest import nearest

        near = nearest(key, block.parameters)
        known = f"it has {', '.join(block.parameters)}" if block.parameters else "it has none"
        suggestion = f"did you mean '{near[0]}'?" if near else known
        self._complain(mark, "DLX209", f"the block '{block.name}' has no parameter '{key}'", suggestion)

    def _complain(self, mark: Mark, code: str, message: str, suggestion: str = "", via: tuple[Mark, ...] = ()) -> None:
        notes = tuple(f"in the block used at {m}" for m in via)
        self.problems.append(Diagnostic.from_mark(mark, code, message, suggestion, notes=notes))


_DEFINITION = "write name: {parameters: {width: 64}, layers: […]}"


def _nothing(node: Node, mark: Mark) -> Node:
    """Return what stands for the use of a block that is wrong: a sequence of no layers, of which nobody complains."""
    value = {"type": Node("sequential", mark), "layers": Node([], mark)}
    return Node(value, node.mark, keys=dict.fromkeys(value, mark), history=node.history, via=node.via)


def _read_use(node: Node) -> tuple[str, Node | None, Mark]:
    """Read `name`, `{name: …}` or `{type: name, …}` as a name, what is given to it, and where the name stands."""
    if isinstance(node.value, str):
        return node.value, None, node.mark
    if not isinstance(node.value, dict):
        return "", None, node.mark
    kind = node.value.get("type")
    if kind is not None and isinstance(kind.value, str):
        return kind.value, node, kind.mark
    if len(node.value) == 1:
        (name, given), *_ = node.value.items()
        return name, given, node.keys[name]
    return "", None, node.mark
