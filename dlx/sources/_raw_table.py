"""Files of rows: csv, tsv, json lines and parquet, read into columns of raw cells that remember their lines."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.files import read_text_file, require_file

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

SAMPLED = 200
"""Rows by which a header is told from data."""


@dataclass
class RawTable:
    """Cells of a file, column by column; `lines` holds the line (or row, where there are no lines) of each."""

    path: Path
    names: list[str]
    columns: list[np.ndarray]
    lines: list[int]
    problems: list[str] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    """The first row of a file where it holds names."""


@dataclass(frozen=True)
class TextFormat:
    """How a text file is written."""

    separator: str = "auto"
    encoding: str = "utf-8"
    quoted: bool = True
    header: bool | str = "auto"
    columns: tuple[str, ...] = ()
    expected: frozenset[str] = frozenset()
    """Names that the recipe mentions: a first row that holds one is a header."""
    missing: tuple[str, ...] = ()


Kind = Literal["numeric", "categorical", "text"]


def table_columns(facts: DataFacts) -> dict[str, Kind]:
    """Return the columns of the tables and the columns of text that are input, and what they are."""
    tables: dict[str, Kind] = {name: "text" for name in facts.inputs if name in facts.tokenizers}
    for name in facts.inputs:
        for column in facts.fields[name].names:
            tables[column] = "categorical" if column in facts.categories else "numeric"
    if not tables:
        raise DataError(f"the model takes {', '.join(facts.inputs)}, not the columns of a table")
    return tables


def read_table(path: Path, form: TextFormat, like: RawTable | None = None) -> RawTable:
    """Read one file; `like` is a file that was read before and whose columns this one must have.

    Raises: DataError if the file is absent, empty, not text, or has no rows.
    """
    require_file(path)
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix in (".parquet", ".pq"):
        rows = _read_parquet(path)
    elif suffix in (".jsonl", ".ndjson"):
        rows = _read_json_lines(path, read_text_file(path, form.encoding))
    else:
        rows = _read_delimited(path, read_text_file(path, form.encoding), suffix, form, like)
    if not rows.lines and not rows.problems:
        raise DataError(f"{path}: the file has names of columns but no rows")
    differ = sorted(set(rows.names) ^ set(like.names)) if like is not None else []
    if differ:
        raise DataError(f"{path}: its columns differ from those of the first file: {', '.join(differ)}")
    return rows


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[np.ndarray]:
    import numpy as np

    columns = [np.empty(len(rows), dtype=object) for _ in range(width)]
    for i, cells in enumerate(zip(*rows, strict=True)):
        columns[i][:] = cells
    return columns


def _read_parquet(path: Path) -> RawTable:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a parquet file: {error}") from None
    columns = [_object_array(frame[name]) for name in frame.columns]
    return RawTable(path, [str(name) for name in frame.columns], columns, list(range(1, len(frame) + 1)))


def _object_array(series: Any) -> np.ndarray:
    values: np.ndarray = series.astype(object).where(series.notna(), None).to_numpy(dtype=object)
    return values


def _read_json_lines(path: Path, text: str) -> RawTable:
    records, lines, problems = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        record = _parse_record(line)
        if isinstance(record, dict):
            records.append(record)
            lines.append(number)
        else:
            problems.append(f"{path}:{number}: {record}")
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = _columns([[record.get(name) for name in names] for record in records], len(names))
    return RawTable(path, names, columns, lines, problems)


def _parse_record(line: str) -> dict[str, Any] | str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return f"not JSON: {line[:60]}"
    return record if isinstance(record, dict) else f"not an object: {line[:60]}"


def _read_delimited(path: Path, text: str, suffix: str, form: TextFormat, like: RawTable | None) -> RawTable:
    separator = _guess_separator(text, suffix) if form.separator == "auto" else form.separator
    problems: list[str] = []
    numbered = list(_split_rows(path, text, separator, form.quoted, problems))
    if not numbered:
        raise DataError("\n".join(problems) or f"{path}: the file is empty")
    first = [cell.strip() for cell in numbered[0][1]]
    if like is None:
        has_header = _has_header(path, first, [row for _, row in numbered[1:SAMPLED]], form)
        header = _column_names(path, first, has_header, form)
    else:
        has_header = form.header is True or (bool(like.header) and set(first) == set(like.header))
        header = _names_like(first, has_header, like)
    if has_header:
        numbered = numbered[1:]
    whole = []
    for line, cells in numbered:
        if len(cells) == len(header):
            whole.append((line, cells))
        else:
            problems.append(f"{path}:{line}: {len(cells)} cells where {len(header)} columns are expected")
    columns = _columns([cells for _, cells in whole], len(header))
    return RawTable(path, header, columns, [line for line, _ in whole], problems, first if has_header else [])


def _guess_separator(text: str, suffix: str) -> str:
    if suffix in (".tsv", ".tab"):
        return "\t"
    first = text.lstrip().split("\n", 1)[0]
    return max((",", ";", "\t", "|"), key=first.count)


def _split_rows(
    path: Path, text: str, separator: str, quoted: bool, problems: list[str]
) -> Iterator[tuple[int, list[str]]]:
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


def _has_header(path: Path, first: list[str], body: list[list[str]], form: TextFormat) -> bool:
    if isinstance(form.header, bool):
        return form.header
    if first == list(form.columns) or form.expected & set(first):
        return True
    if any(_is_number(cell) for cell in first):
        return False
    named = [i for i, cell in enumerate(first) if cell not in form.missing]
    whole = [row for row in body if len(row) == len(first)]
    if not body or any(_all_numbers([row[i].strip() for row in whole], form.missing) for i in named):
        return True
    if len(set(first)) < len(first) or len(named) < len(first):
        return False
    found = not any(cell == row[i].strip() for row in whole for i, cell in enumerate(first))
    log.warning(
        "%s: every column is text; its first row is taken for %s (say `header: true` or `header: false`)",
        path,
        "the names of the columns" if found else "data",
    )
    return found


def _column_names(path: Path, first: list[str], has_header: bool, form: TextFormat) -> list[str]:
    found = list(form.columns) or [(cell if has_header else "") or f"c{i + 1}" for i, cell in enumerate(first)]
    if len(found) != len(first):
        raise DataError(f"{path}: {len(found)} names in `columns`, but the first row has {len(first)} cells")
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise DataError(f"{path}: columns with the same name: {', '.join(twice)}; name them with `columns`")
    return found


def _names_like(first: list[str], has_header: bool, like: RawTable) -> list[str]:
    """Names of the columns of a later file: in the order of its own header, where it has one."""
    if not has_header or not set(first) <= set(like.header):
        return like.names
    return [like.names[like.header.index(cell)] for cell in first]


def _all_numbers(cells: list[str], missing: tuple[str, ...]) -> bool:
    present = [cell for cell in cells if cell not in missing]
    return bool(present) and all(_is_number(cell) for cell in present)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
