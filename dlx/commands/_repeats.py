"""Repeated blocks of a network: the first one is shown, those equal to it are summed up in one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, takewhile
from typing import Any

COSTS = ("parameters", "macs", "activations", "unfused", "activation_bytes")
Layers = Sequence[dict[str, Any]]
"""Rows of a plan, each with the `name` of a layer: numbers in it count what stands one after the other."""


def collapse_repeats(layers: Layers) -> Iterator[dict[str, Any]]:
    """Yield the rows of layers; of equal blocks in a row those of the first, and one for all others."""
    at = 0
    while at < len(layers):
        for depth in _number_positions(layers[at]["name"]):
            first, *others = _equal_blocks(layers[at:], depth)
            if len(others) * len(first) > 1:  # otherwise nothing is saved
                yield from collapse_repeats(first)
                yield _sum_blocks(others, depth)
                at += len(first) * (1 + len(others))
                break
        else:
            yield layers[at]
            at += 1


def _number_positions(name: str) -> list[int]:
    """Return where numbers stand in a name."""
    return [i for i, part in enumerate(name.split(".")) if part.isdigit()]


def _equal_blocks(layers: Layers, depth: int) -> list[Layers]:
    """Return the block with which rows begin, and those after it that are the same but for their number."""
    begun = layers[0]["name"].split(".")
    blocks: list[Layers] = []
    for number in count(int(begun[depth])):
        start = [*begun[:depth], str(number)]
        rest = layers[len(blocks) * len(blocks[0]) if blocks else 0 :]
        block = list(takewhile(lambda row, start=start: row["name"].split(".")[: depth + 1] == start, rest))  # type: ignore[misc]
        if not block or (blocks and _without_number(block, depth) != _without_number(blocks[0], depth)):
            break
        blocks.append(block)
    return blocks


def _without_number(block: Layers, depth: int) -> list[dict[str, Any]]:
    """Return everything about the rows of a block but its number."""
    return [{**row, "name": row["name"].split(".")[depth + 1 :]} for row in block]


def _sum_blocks(blocks: Sequence[Layers], depth: int) -> dict[str, Any]:
    """Return one row for several blocks."""
    first, last = (block[0]["name"].split(".")[: depth + 1] for block in (blocks[0], blocks[-1]))
    rows = [row for block in blocks for row in block]
    return {
        **rows[-1],
        "name": ".".join(first) + (f" … {last[-1]}" if len(blocks) > 1 else ""),
        "type": f"{len(blocks)} more like it",
        **{cost: sum(row[cost] for row in rows) for cost in COSTS},
    }
