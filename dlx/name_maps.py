"""Name maps of published weights: from a parameter of an architecture to the tensors of a file that hold it."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SUM = re.compile(r"\{(\d)(\+|-|//|\*)(\d+)\}")
OPERATIONS = {"+": operator.add, "-": operator.sub, "//": operator.floordiv, "*": operator.mul}
NEVER = r"(?!)"
Renames = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class NameMap:
    """Name map: how a library names, cuts and lays out the weights of an architecture.

    renames        (pattern, replacement) pairs that are applied one after another to a parameter's name, as it is below
                   `body`; `{1+2}` in a replacement is the number that the first group found, plus two
    parts          text of the name so found → the texts of those tensors that are concatenated to it
    fallbacks      a tensor that files leave out → the one that it shares its weights with
    prefix         what some files write before the name of every tensor but of a head
    synonyms       renames of tensors, for what older files call otherwise
    transposed     pattern of matrices that are stored as (inputs, outputs)
    token_rows     pattern of tensors with a row for each token of the vocabulary
    position_rows  pattern of tensors with a row for each position, of which a shorter network takes the first
    buffers        pattern of tensors that are no weights, which a file may hold
    heads          pattern of heads, which a file may hold and the network lack
    """

    renames: Renames
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    synonyms: Renames = ()
    transposed: str = NEVER
    token_rows: str = NEVER
    position_rows: str = NEVER
    buffers: str = r"num_batches_tracked$"
    heads: str = NEVER

    def published_names(self, name: str) -> tuple[str, ...]:
        """Return the tensors that hold a parameter of a network, whose name may begin with `body`."""
        name = _rename(name.removeprefix("body."), self.renames)
        for text, parts in self.parts.items():
            if text in name:
                return tuple(name.replace(text, part) for part in parts)
        return (name,)

    def without_prefix(self, tensor: str) -> str:
        """Return the name of a file's tensor without what only some files write."""
        return _rename(tensor.removeprefix(self.prefix), self.synonyms)


OWN_NAMES = NameMap((), prefix="body.")
"""Name map of a file whose tensors are named as dlx does."""


def _rename(name: str, renames: Renames) -> str:
    for pattern, replacement in renames:
        name = re.sub(pattern, lambda found, text=replacement: _fill(text, found), name)  # type: ignore[misc]
    return name


def _fill(replacement: str, found: re.Match[str]) -> str:
    filled, end = "", 0
    for term in SUM.finditer(replacement):
        number = OPERATIONS[term[2]](int(found[int(term[1])]), int(term[3]))
        filled += found.expand(replacement[end : term.start()]) + str(number)
        end = term.end()
    return filled + found.expand(replacement[end:])
