"""Delimited text: csv and its relatives, with the separator, the header and the quotes found where nothing is said."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dlx.errors import DataError

SAMPLED = 200
"""Rows by which a separator, and a header, are told from data."""
SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r"\ufeff?sep=(.)\r?(?=\n|$)", re.IGNORECASE)
"""The first line by which a spreadsheet names the separator."""
REGULAR = 0.9
"""Share of lines in which a separator stands as often as in the first: a few may be bad."""
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+\s*")

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class TextFormat:
    """How a text file is written.

    expected  names that the recipe mentions: a first row that holds one is a header
    missing   cells that mean that a value is missing
    """

    separator: str = "auto"
    encoding: str = "utf-8"
    quoted: bool = True
    header: bool | str = "auto"
    columns: tuple[str, ...] = ()
    expected: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class DelimitedRows:
    """Rows of cells with their lines, the names of their columns, and the header if the file has one."""

    names: list[str]
    rows: list[Row]
    header: list[str]
    separator: str
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_delimited(
    path: Path, text: str, suffix: str, form: TextFormat, like: tuple[list[str], list[str]] | None = None
) -> DelimitedRows:
    """Split text into rows of cells.

    like  the header of a file that was read before, empty where it has none, and the names that its columns have
    """
    text, form = _without_separator_line(text, form)
    separator = _guess_separator(text, suffix, form.quoted) if form.separator == "auto" else form.separator
    problems: list[str] = []
    rows = list(_split_rows(path, text, separator, form.quoted, problems))
    if not rows:
        raise DataError("\n".join(problems) or f"{path}: the file is empty")
    first = [cell.strip() for cell in rows[0][1]]
    body = [row for _, row in rows[1 : SAMPLED + 1]]
    if like is None:
        has_header, warnings = _has_header(path, first, body, form)
        names = _column_names(path, first, has_header, form)
    else:
        has_header, warnings = _repeats_header(path, first, body, form, *like)
        names = _align_names(path, first, has_header, *like)
    whole = []
    for line, cells in rows[1:] if has_header else rows:
        if len(cells) == len(names):
            whole.append((line, cells))
        else:
            problems.append(f"{path}:{line}: {len(cells)} cells where {len(names)} columns are expected")
    return DelimitedRows(names, whole, first if has_header else [], separator, problems, warnings)


def _without_separator_line(text: str, form: TextFormat) -> tuple[str, TextFormat]:
    """Return the text without a first line that names the separator, which stays there as an empty one."""
    named = SEPARATOR_LINE.match(text)
    if named is None or form.separator not in ("auto", named[1]):
        return text, form
    return text[named.end() :], replace(form, separator=named[1])


def _guess_separator(text: str, suffix: str, quoted: bool) -> str:
    """Return the separator that stands equally often in the first lines, else the most frequent one of the first.

    Separators inside quotes do not count, nor do commas that are decimal points beside another separator.
    """
    if suffix in (".tsv", ".tab"):
        return "\t"
    lines = _first_lines(text, quoted)
    counts = {mark: [line.count(mark) for line in lines] for mark in SEPARATORS}
    regular = [mark for mark in SEPARATORS if counts[mark][0] and _mostly(counts[mark], counts[mark][0])]
    others = [mark for mark in regular if mark != ","]
    if others and "," in regular and _are_decimals(lines, others[0]):
        return others[0]
    return max(regular if len(lines) > 1 and regular else SEPARATORS, key=lambda mark: counts[mark][0])


def _first_lines(text: str, quoted: bool) -> list[str]:
    """Return the first lines that are not empty, without what stands in quotes."""
    start = text.lstrip()[: 1 << 20]
    if quoted:
        start = re.sub(r'"[^"]*"', "", start)
    lines = [line for line in start.split("\n", SAMPLED)[:SAMPLED] if line.strip()]
    return (lines[:-1] if len(lines) > 1 and len(start) == 1 << 20 else lines) or [""]


def _mostly(counts: Sequence[int], usual: int) -> bool:
    return sum(count == usual for count in counts) >= REGULAR * len(counts)


def _are_decimals(lines: Sequence[str], separator: str) -> bool:
    """Say whether every cell with a comma is a number with a decimal comma."""
    cells = [cell for line in lines for cell in line.split(separator) if "," in cell]
    return all(DECIMAL_COMMA.fullmatch(cell) for cell in cells)


def _split_rows(path: Path, text: str, separator: str, quoted: bool, problems: list[str]) -> Iterator[Row]:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, quoting=quoting, strict=True, skipinitialspace=True
    )
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(f"{path}:{line}: {error}; if quotes are part of the text, say `quoted: false`")
            cells = []
        if len(cells) > 1 or (cells and cells[0].strip()):
            yield line, cells
        line = reader.line_num + 1


def _has_header(path: Path, first: list[str], body: list[list[str]], form: TextFormat) -> tuple[bool, list[str]]:
    """Say whether the first row holds names, and what a person should know about the guess."""
    if isinstance(form.header, bool):
        return form.header, []
    if first == list(form.columns) or form.expected & set(first):
        return True, []
    if any(_is_number(cell) for cell in first):
        return False, []
    named = [i for i, cell in enumerate(first) if cell not in form.missing]
    whole = [row for row in body if len(row) == len(first)]
    if not body or any(_all_numbers([row[i].strip() for row in whole], form.missing) for i in named):
        return True, []
    unnamed = [i for i, cell in enumerate(first) if cell in form.missing]
    if len({first[i] for i in named}) < len(named) or any(_mostly_filled(whole, i, form.missing) for i in unnamed):
        return False, []
    found = not any(cell == row[i].strip() for row in whole for i, cell in enumerate(first) if i in named)
    guess = "the names of the columns" if found else "data"
    note = f"every column is text; the first row is taken for {guess} (say `header: true` or `header: false`)"
    return found, [f"{path.name}: {note}"]


def _repeats_header(
    path: Path, first: list[str], body: list[list[str]], form: TextFormat, header: list[str], names: list[str]
) -> tuple[bool, list[str]]:
    """Say whether the first row of a later file holds names, as the first row of the file before it did or did not."""
    if isinstance(form.header, bool):
        return form.header, []
    known = {name for name in (*header, *names) if name}
    numbers = any(_is_number(cell) for cell in first)
    whole = [row for row in body if len(row) == len(first)]
    evident = any(_all_numbers([row[i].strip() for row in whole], form.missing) for i in range(len(first)))
    if not numbers and (known & set(first) or (header and evident)):
        return True, []
    place = [f"{path.name}: has no header, so that its columns are taken by their place"] if header else []
    return False, place


def _column_names(path: Path, first: list[str], has_header: bool, form: TextFormat) -> list[str]:
    found = list(form.columns) or [(cell if has_header else "") or f"c{i + 1}" for i, cell in enumerate(first)]
    if len(found) != len(first):
        raise DataError(f"{path}: {len(found)} names in `columns`, but the first row has {len(first)} cells")
    return _unique(path, found)


def _align_names(path: Path, first: list[str], has_header: bool, header: list[str], names: list[str]) -> list[str]:
    """Return the names of a later file's columns: those of its own header, where it has one that can be known."""
    new = dict(zip(header, names, strict=True)) if header else {name: name for name in names}
    if has_header and (header or set(new) & set(first)):
        return _unique(path, [new.get(cell, cell) or f"c{i + 1}" for i, cell in enumerate(first)])
    if len(first) != len(names):
        raise DataError(f"{path}: rows of {len(first)} cells, but there are {len(names)} columns: {', '.join(names)}")
    return names


def _unique(path: Path, names: list[str]) -> list[str]:
    refuse_repeated(path, names, "; name them with `columns`")
    return names


def refuse_repeated(path: Path, names: Sequence[str], advice: str = "") -> None:
    """Raise DataError if columns have the same name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: columns with the same name: {', '.join(twice)}{advice}")


def _mostly_filled(rows: list[list[str]], column: int, missing: tuple[str, ...]) -> bool:
    return sum(row[column].strip() not in missing for row in rows) > len(rows) / 2


def _all_numbers(cells: list[str], missing: tuple[str, ...]) -> bool:
    present = [cell for cell in cells if cell not in missing]
    return bool(present) and all(_is_number(cell) for cell in present)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
