"""Draws the rooms of dlx in their layers, as import-linter holds them: imports run downward.

    python docs/architecture.py docs/images/architecture.svg

Layers are those of pyproject.toml, and the words beside a room are the first sentence of its docstring.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIDTH, ROW, GAP, EDGE = 960, 34, 6, 16
"""Pixels: the picture, a layer, between two layers, around them."""
NAME, TEXT = 7.4, 6.3
"""Pixels of a letter of a name and of a text."""
STYLE = """
 text { font: 12px system-ui, sans-serif; fill: #57606a }
 .name { font: bold 12px ui-monospace, monospace; fill: #0969da }
 .layer { fill: #f6f8fa; stroke: #d0d7de }
 .arrow { stroke: #57606a; fill: none; marker-end: url(#head) }
"""


def layers() -> list[list[str]]:
    """Return the rooms of each layer, the highest first."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    found = next(contract["layers"] for contract in config["contracts"] if contract["type"] == "layers")
    return [re.split(r"\s*[:|]\s*", layer) for layer in found]


def sentence(room: str) -> str:
    """Return what a room says of itself, without its name."""
    file, package = ROOT / "dlx" / f"{room}.py", ROOT / "dlx" / room / "__init__.py"
    text = ast.get_docstring(ast.parse((file if file.exists() else package).read_text(encoding="utf-8"))) or ""
    first = re.split(r"\. |\n\n", " ".join(text.partition("\n\n")[0].split()))[0].rstrip(".")
    head, colon, rest = first.partition(": ")
    return rest if colon and len(head.split()) <= 3 else first[:1].lower() + first[1:]


def drawing() -> str:
    """Return the picture as SVG."""
    rows = [piece for number, rooms in enumerate(layers()) for piece in _row(rooms, EDGE + number * (ROW + GAP))]
    height = 2 * EDGE + len(layers()) * (ROW + GAP) - GAP
    arrow = f'<path class="arrow" d="M {WIDTH - 14} {EDGE} V {height - EDGE}"/>'
    head = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            "<title>The packages of dlx in layers; imports run downward</title>",
            f"<style>{STYLE}</style>",
            f'<defs>{head}<path d="M 0 0 L 8 4 L 0 8 z" fill="#57606a"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *rows,
            arrow,
            "</svg>",
            "",
        ]
    )


def _row(rooms: list[str], top: int) -> list[str]:
    """Return a layer: each of its rooms in an equal part of it, with its words where there is space for them."""
    width = (WIDTH - 2 * EDGE - 16 - (len(rooms) - 1) * GAP) / len(rooms)
    found = []
    for number, room in enumerate(rooms):
        left = EDGE + number * (width + GAP)
        start = left + 10 + NAME * len(room) + 12
        space = int((left + width - start) / TEXT)
        words = textwrap.shorten(sentence(room), space, placeholder=" …") if space > 20 else ""
        found += [
            f'<rect class="layer" x="{left:g}" y="{top}" width="{width:g}" height="{ROW}" rx="5"/>',
            f'<text class="name" x="{left + 10:g}" y="{top + 22}">{room}</text>',
            *([f'<text x="{start:g}" y="{top + 22}">{escape(words)}</text>'] if words else []),
        ]
    return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawing(), encoding="utf-8")
