from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, Strict

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.files import path_from
from dlx.sources import Column, NewInputs, Recognition, Samples, Source
from dlx.sources._cells import MISSING, as_categories, category_warning, clean_cells, is_numeric, parse_numbers
from dlx.sources._delimited import TextFormat
from dlx.sources._errors import raise_or_skip
from dlx.sources._raw_table import RawTable, missing_column, read_table, table_columns, unknown_column

if TYPE_CHECKING:
    import numpy as np


UNNAMED = re.compile(r"c\d+")
"""Names of columns where a file has none."""
SHOWN = 12
"""Columns of a kind that are named; of more, how many there are."""


class Table(Source):
    """Reads a table from a file: csv, tsv, json lines or parquet, plain or gzipped.

    A column is numeric where all its cells are numbers, else categorical; `types` says otherwise. A few odd cells in a
    column of numbers (at most one in twenty) are reported as errors with file, line and column.

    Shapes:  one number, category or text for each column; several targets together are a vector.
    Raises:  DataError if a file is absent or empty, a row has too many or too few cells, a cell is neither a number nor
             missing in a numeric column, or a target is missing.
    Source:  Python's csv, pandas and pyarrow read the files.

    Example:
        type: table
        path: data/abalone.csv
        header: false
        columns: [sex, length, diameter, height, whole, shucked, viscera, shell, rings]
        target: rings
    """

    primary: ClassVar[str] = "path"
    suffixes: ClassVar[tuple[str, ...]] = (
        ".csv", ".tsv", ".tab", ".txt", ".data", ".jsonl", ".ndjson", ".parquet", ".pq", ".gz",
    )  # fmt: skip
    type: Literal["table"] = "table"
    path: str
    """File with all rows, or with those to train on."""
    val_path: str | None = None
    """File with the rows to validate on."""
    test_path: str | None = None
    """File with the rows to test on."""
    header: bool | Literal["auto"] = "auto"
    """Whether the first row names the columns; auto looks."""
    columns: tuple[str, ...] = Field((), strict=False)
    """Names of the columns, in place of the file's own."""
    target: str | Annotated[tuple[str, ...], Strict(False)] | None = None
    """Column to predict, or several; columns of a file without names are c1, c2, …."""
    types: dict[str, Literal["numeric", "categorical", "text", "ignore"]] = Field(default_factory=dict)
    """What columns are, where it should not be inferred; text is cut into tokens by `data.tokenizer`."""
    missing_values: tuple[str, ...] = Field(MISSING, strict=False)
    """Cells that mean that a value is missing, after spaces around them are removed."""
    separator: Literal["auto"] | Annotated[str, Field(min_length=1, max_length=1)] = "auto"
    """Character between cells; auto is a tab for .tsv, else the one that stands equally often in every line."""
    decimal: str = Field(".", min_length=1, max_length=1)
    """Decimal point of numbers in text files; a comma in many spreadsheets."""
    thousands: str | None = Field(None, min_length=1, max_length=1)
    """Separator of thousands in numbers of text files."""
    encoding: str = "utf-8"
    """Encoding of text files; a byte order mark goes before it."""
    quoted: bool = True
    """Whether cells may be wrapped in double quotes."""
    strip_end: str = ""
    """Characters removed from the end of categories, such as the full stop in `<=50K.`."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        return Recognition(1) if path.is_file() and path.suffix.lower() in cls.suffixes else None

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        splits = self._read(base)
        problems = [problem for rows in splits.values() for problem in rows.problems]
        cells = self._cells(list(splits.values()))
        places = [(rows.path, line) for rows in splits.values() for line in rows.lines]
        bad: dict[int, str] = {}
        columns = {name: self._column(name, values, bad, places) for name, values in cells.items()}
        self._check_targets(columns, bad, places)
        problems += [bad[row] for row in sorted(bad)]
        raise_or_skip(f"cannot use {self.path}", problems, on_error, self._hint())
        samples = self._samples(columns, splits, sorted(bad), problems)
        doubts = [category_warning(n, cells[n]) for n, c in columns.items() if self._is_inferred(n, c)]
        warnings = [*(warning for rows in splits.values() for warning in rows.warnings), *filter(None, doubts)]
        return replace(samples, inferred=self._describe_reading(columns, splits), warnings=warnings)

    def files(self, base: Path) -> list[Path]:
        return [path_from(base, path) for path in self._paths().values()]

    def with_path(self, path: Path) -> Self:
        return super().with_path(path).evolve_all({"val_path": None, "test_path": None})

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts, keep: Sequence[str] = ()) -> NewInputs:
        import numpy as np

        form = self._format("auto", (), frozenset(table_columns(facts)))
        tables = [self._rename_columns(read_table(path, form), facts) for path in paths]
        places = [(rows.path, line) for rows in tables for line in rows.lines]
        problems = [problem for rows in tables for problem in rows.problems]
        bad: dict[int, str] = {}
        columns = {}
        for name, kind in table_columns(facts).items():
            reader = self.evolve("types", {name: kind})
            cells = reader._clean_column(name, np.concatenate([rows.cells(name) for rows in tables]))
            columns[name] = reader._column(name, cells, bad, places)
        raise_or_skip(f"cannot use {paths[0]}", problems + [bad[row] for row in sorted(bad)], "raise")
        kept = {name: [cell for rows in tables for cell in _raw_cells(rows, name)] for name in keep}
        return NewInputs(columns, kept, [warning for rows in tables for warning in rows.warnings])

    def _format(self, header: bool | str, columns: tuple[str, ...], expected: frozenset[str]) -> TextFormat:
        return TextFormat(self.separator, self.encoding, self.quoted, header, columns, expected, self.missing_values)

    def _rename_columns(self, rows: RawTable, facts: DataFacts) -> RawTable:
        """Return rows under the names that training knew; by their place where the file, or training, has none."""
        wanted = list(table_columns(facts))
        inputs = [name for name in self.columns if name not in self._targets()]
        numbered = all(UNNAMED.fullmatch(name) for name in wanted)
        if not set(wanted) & set(rows.names) and (numbered or not rows.named):
            fitting = [names for names in (list(self.columns), inputs, wanted) if len(names) == len(rows.names)]
            rows = replace(rows, names=fitting[0]) if fitting else rows
        absent = [name for name in wanted if name not in rows.names]
        if absent:
            raise DataError(missing_column(rows, absent, "with which the model was trained"))
        return rows

    def _paths(self) -> dict[str, str]:
        given = {"train": self.path, "val": self.val_path, "test": self.test_path}
        return {split: path for split, path in given.items() if path is not None}

    def _targets(self) -> tuple[str, ...]:
        if self.target is None:
            return ()
        return (self.target,) if isinstance(self.target, str) else self.target

    def _read(self, base: Path) -> dict[str, RawTable]:
        mentioned = frozenset(self.types) | frozenset(self._targets())
        form = self._format(self.header, self.columns, mentioned)
        ignored = [name for name, kind in self.types.items() if kind == "ignore"]
        splits: dict[str, RawTable] = {}
        for split, path in zip(self._paths(), self.files(base), strict=True):
            splits[split] = read_table(path, form, splits.get("train"), ignored)
        for name in sorted(mentioned - set(splits["train"].names)):
            raise unknown_column(self.path, name, splits["train"].names)
        return splits

    def _cells(self, splits: list[RawTable]) -> dict[str, np.ndarray]:
        import numpy as np

        kept = [name for name in splits[0].names if self.types.get(name) != "ignore"]
        return {name: self._clean_column(name, np.concatenate([rows.cells(name) for rows in splits])) for name in kept}

    def _clean_column(self, name: str, cells: np.ndarray) -> np.ndarray:
        """Strip cells and put None where they are missing; a word of a text is never a sign that it is missing."""
        return clean_cells(cells, ("",) if self.types.get(name) == "text" else self.missing_values)

    def _column(self, name: str, cells: np.ndarray, bad: dict[int, str], places: list[tuple[Path, int]]) -> Column:
        kind = self.types.get(name)
        if kind == "text":
            return Column(as_categories(cells, ""), "", "text")
        values, wrong = parse_numbers(cells, self.decimal, self.thousands or "")
        if kind == "categorical" or (kind is None and not is_numeric(cells, wrong)):
            return Column(as_categories(cells, self.strip_end), "", "categorical")
        for row in wrong.nonzero()[0]:
            path, line = places[row]
            bad.setdefault(int(row), f"{path}:{line}: column '{name}': '{cells[row]}' is not a number")
        return Column(values, "", "numeric")

    def _is_inferred(self, name: str, column: Column) -> bool:
        """Say whether an input is one of categories only because its cells are no numbers."""
        return column.kind == "categorical" and name not in self.types and name not in self._targets()

    def _describe_reading(self, columns: Mapping[str, Column], splits: Mapping[str, RawTable]) -> list[str]:
        """Return how the files were read, and what kind each column is for which the recipe names none."""
        read = [rows.inferred for rows in splits.values() if rows.inferred]
        kinds = {n: c.kind for n, c in columns.items() if n not in self.types and n not in self._targets()}
        for kind in ("numeric", "categorical"):
            names = [name for name, found in kinds.items() if found == kind]
            read += (
                [f"{kind}: {', '.join(names[:SHOWN])}{f' and {len(names) - SHOWN} more' * (len(names) > SHOWN)}"]
                if names
                else []
            )
        return read

    def _check_targets(self, columns: dict[str, Column], bad: dict[int, str], places: list[tuple[Path, int]]) -> None:
        import pandas as pd

        for name in self._targets():
            if name not in columns:
                raise DataError(f"the target '{name}' is ignored by `types`")
            for row in pd.isna(columns[name].values).nonzero()[0]:
                path, line = places[row]
                bad.setdefault(int(row), f"{path}:{line}: column '{name}': the target is missing")

    def _hint(self) -> str:
        return (
            "correct them, leave them out with data.on_error: skip, list what means missing under `missing_values`, "
            "or say `types: {column: categorical}` where a column is not meant to hold numbers"
        )

    def _samples(
        self, columns: dict[str, Column], splits: dict[str, RawTable], bad: list[int], problems: list[str]
    ) -> Samples:
        import numpy as np

        rows = sum(len(split.lines) for split in splits.values())
        kept = np.setdiff1d(np.arange(rows), bad)
        if len(kept) == 0:
            raise DataError("\n".join([f"{self.path}: no row is left", *problems[:5]]))
        columns = {name: Column(c.values[kept], c.axes, c.kind) for name, c in columns.items()}
        inputs = tuple(name for name in columns if name not in self._targets())
        belongs = np.concatenate([np.full(len(split.lines), name, dtype=object) for name, split in splits.items()])
        files = np.concatenate([np.full(len(split.lines), str(split.path), dtype=object) for split in splits.values()])
        lines = np.concatenate([np.asarray(split.lines) for split in splits.values()])
        identity = {"file": files[kept]} if len(splits) > 1 else {}
        target = self._join_targets(columns)
        return Samples(
            columns,
            inputs,
            target,
            belongs[kept] if len(splits) > 1 else None,
            problems,
            identity={**identity, "line": lines[kept]},
        )

    def _join_targets(self, columns: dict[str, Column]) -> str | None:
        import numpy as np

        names = self._targets()
        if len(names) < 2:
            return names[0] if names else None
        taken = [columns.pop(name) for name in names]
        text = [name for name, column in zip(names, taken, strict=True) if column.kind != "numeric"]
        if text:
            raise DataError(f"several targets must be numbers, but {', '.join(text)} holds categories")
        if "target" in columns:
            raise DataError("several targets are joined as 'target', but another column has that name: rename it")
        columns["target"] = Column(
            np.stack([column.values.astype("float64") for column in taken], axis=1), "F", "numeric", names=names
        )
        return "target"


def _raw_cells(rows: RawTable, name: str) -> list[object]:
    if name not in rows.names:
        raise DataError(missing_column(rows, [name], "which --keep names"))
    return list(rows.cells(name))
