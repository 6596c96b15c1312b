"""Tables as raw cells: csv, tsv, JSON lines and parquet, column by column, with the line of every row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.files import read_text_file, require_file, split_lines
from dlx.nearest import nearest
from dlx.sources._delimited import DelimitedRows, TextFormat, read_delimited, refuse_repeated

if TYPE_CHECKING:
    import numpy as np

UNNAMED_INDEX = "__index_level_"
"""How pandas names an index without a name in a parquet file: row labels, not a column."""

Kind = Literal["numeric", "categorical", "text"]


@dataclass
class RawTable:
    """Cells of a file, column by column.

    lines     the line of each row, or its number where a file has no lines
    problems  rows that cannot be read, each with its place and reason
    named     whether the file itself names its columns
    header    its own names, where other ones take their place
    inferred  how the file was read where nothing was said
    warnings  what was inferred and may be wrong
    """

    path: Path
    names: list[str]
    columns: list[np.ndarray]
    lines: list[int]
    problems: list[str] = field(default_factory=list)
    named: bool = True
    header: list[str] = field(default_factory=list)
    inferred: str = ""
    warnings: list[str] = field(default_factory=list)

    def cells(self, name: str) -> np.ndarray:
        """Return the cells of a column."""
        return self.columns[self.names.index(name)]


def table_columns(facts: DataFacts) -> dict[str, Kind]:
    """Return the columns of the tables and the columns of text that are input, and what they are."""
    tables: dict[str, Kind] = {name: "text" for name in facts.inputs if name in facts.tokenizers}
    for name in facts.inputs:
        for column in facts.fields[name].names:
            tables[column] = "categorical" if column in facts.categories else "numeric"
    if not tables:
        raise DataError(f"the model takes {', '.join(facts.inputs)}, not the columns of a table")
    return tables


def read_table(path: Path, form: TextFormat, like: RawTable | None = None, optional: Sequence[str] = ()) -> RawTable:
    """Read one file; `like` is a file that was read before, whose columns this one must have but for `optional` ones.

    Columns are matched by name wherever both files have names.
    Raises: DataError if the file is absent, empty, not text, has no rows, or lacks a column.
    """
    require_file(path)
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix in (".parquet", ".pq"):
        rows = _read_parquet(path)
    elif suffix in (".jsonl", ".ndjson"):
        rows = _read_json_lines(path, read_text_file(path, form.encoding))
    else:
        before = None if like is None else (like.header, like.names)
        rows = _from_delimited(path, read_delimited(path, read_text_file(path, form.encoding), suffix, form, before))
    if not rows.lines and not rows.problems:
        raise DataError(f"{path}: the file has names of columns but no rows")
    return rows if like is None else _align_columns(like, rows, optional)


def _from_delimited(path: Path, found: DelimitedRows) -> RawTable:
    columns = _columns([cells for _, cells in found.rows], len(found.names))
    inferred = f"{path.name}: separator {found.separator!r}, {'a' if found.header else 'no'} header"
    lines = [line for line, _ in found.rows]
    named = bool(found.header)
    return RawTable(path, found.names, columns, lines, found.problems, named, found.header, inferred, found.warnings)


def _align_columns(like: RawTable, rows: RawTable, optional: Sequence[str]) -> RawTable:
    """Return rows with the columns of another file: more are left out, optional ones may be absent."""
    absent = [name for name in like.names if name not in rows.names]
    needed = [name for name in absent if name not in optional]
    if needed:
        raise DataError(missing_column(rows, needed, f"which {like.path.name} has"))
    more = [name for name in rows.names if name not in like.names]
    unknown = [f"{rows.path.name}: left out {', '.join(more)}, which {like.path.name} has not"] if more else []
    columns = [rows.cells(name) if name in rows.names else _empty(len(rows.lines)) for name in like.names]
    return replace(rows, names=list(like.names), columns=columns, warnings=[*rows.warnings, *unknown])


def unknown_column(path: str, name: str, names: Sequence[str]) -> DataError:
    """Return the error of a column that is asked for and that a table lacks."""
    near = nearest(name, names)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    return DataError(f"{path} has no column '{name}'{meant}; it has {', '.join(names)}")


def missing_column(rows: RawTable, absent: Sequence[str], why: str) -> str:
    """Return what to say of columns that a file lacks: the nearest name that it has, or all of them."""
    near = nearest(absent[0], rows.names)
    meant = f"; did it mean '{near[0]}'?" if near else ""
    several = f" (nor {', '.join(absent[1:5])}{', …' if len(absent) > 5 else ''})" if len(absent) > 1 else ""
    shown = f"{', '.join(rows.names[:20])}{', …' if len(rows.names) > 20 else ''}"
    return f"{rows.path} has no column '{absent[0]}'{several}, {why}{meant}; it has {shown}"


def _empty(count: int) -> np.ndarray:
    import numpy as np

    return np.full(count, None, dtype=object)


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[np.ndarray]:
    import numpy as np

    columns = [np.empty(len(rows), dtype=object) for _ in range(width)]
    for i, cells in enumerate(zip(*rows, strict=True)):
        columns[i][:] = cells
    return columns


def _read_parquet(path: Path) -> RawTable:
    """Read a parquet file; an index with a name is a column like any other."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        frame = table.to_pandas(ignore_metadata=True, integer_object_nulls=True)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: not a parquet file: {error}") from None
    names = [str(name) for name in frame.columns]
    refuse_repeated(path, names)
    kept = [name for name in names if not name.startswith(UNNAMED_INDEX)]
    columns = [_object_array(frame[name]) for name in kept]
    return RawTable(path, kept, columns, list(range(1, len(frame) + 1)))


def _object_array(series: Any) -> np.ndarray:
    values: np.ndarray = series.astype(object).where(series.notna(), None).to_numpy(dtype=object)
    return values


def _read_json_lines(path: Path, text: str) -> RawTable:
    records, lines, problems = [], [], []
    for number, line in enumerate(split_lines(text), 1):
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
    """Return the object of a line, or why there is none: a name that stands twice in it is an error too."""
    try:
        record = json.loads(line, object_pairs_hook=_unique_names)
    except _DuplicateKeyError as error:
        return f"the name '{error}' stands twice in an object"
    except (ValueError, RecursionError):
        return f"not JSON: {line[:60]}"
    return record if isinstance(record, dict) else f"not an object: {line[:60]}"


class _DuplicateKeyError(Exception):
    """A name stands twice in a JSON object."""


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKeyError(next(name for name in names if names.count(name) > 1))
    return record
