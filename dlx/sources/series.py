from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, Strict, model_validator

from dlx.errors import DataError, UsageError
from dlx.facts import DataFacts
from dlx.nearest import nearest
from dlx.sources import Column, Samples, Source, Spans
from dlx.sources._calendar import Unit, parse_times, time_steps
from dlx.sources._cells import clean_cells, parse_numbers
from dlx.sources._errors import raise_or_skip
from dlx.sources._raw_table import RawTable, TextFormat, read_table

if TYPE_CHECKING:
    import numpy as np

Names = Annotated[tuple[str, ...], Strict(False)]
MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


class Series(Source):
    """Windows of time series from a table with one row a moment: what was, and what comes next.

    A sample is `history` steps of all columns; its target is the next `horizon` steps of the target columns. Rows are
    put in the order of time. The split is by time: no moment is in the targets of two splits, while a history may reach
    back into the split before, as it is known by then. Several series stand below each other, told apart by the column
    `series`, or beside each other, as several targets. `known_covariates` are columns known ahead (holidays, prices): a
    sample also has their values at the steps of the target.

    Shapes:  history (history, columns), future (horizon, known_covariates) where there are any; the target is
             (horizon, targets).
    Units:   history, horizon, season and stride are in steps of time, the commonest distance of two rows.
    Raises:  DataError if a cell is no number, a moment is unreadable or stands twice, or no window fits.

    Example:
        {type: series, path: airline-passengers.csv, time: Month, target: Passengers, history: 24, horizon: 12}
    """

    primary: ClassVar[str] = "path"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".jsonl", ".parquet", ".gz")
    type: Literal["series"] = "series"
    path: str
    """File: csv, tsv, json lines or parquet, plain or gzipped."""
    time: str | None = None
    """Column that says when; null takes the rows as they stand, one step apart."""
    time_format: str | None = None
    """How times are written, such as %d/%m/%Y; null is how the first one seems to be."""
    series: str | None = None
    """Column that says to which series a row belongs."""
    target: str | Names
    """Column to predict, or several."""
    covariates: Names = ()
    """More columns that the history has."""
    known_covariates: Names = ()
    """Columns whose values are known ahead; the history has them too."""
    history: int = Field(24, ge=1)
    """Steps that a network sees."""
    horizon: int = Field(1, ge=1)
    """Steps to predict."""
    season: int = Field(1, ge=1)
    """Steps after which the series repeats, such as 12 months; 1 where it does not. What it was one season before is
    the forecast that others are compared with."""
    stride: int = Field(1, ge=1)
    """Steps from the beginning of one window to that of the next."""
    unit: Unit | None = None
    """In what times are counted; null is the coarsest unit in which no two moments coincide."""
    gaps: Literal["skip", "forward_fill", "ignore"] = "skip"
    """Missing moments and values: no window holds one, the last value is carried on, or rows follow each other whatever
    their times say.
    """

    @model_validator(mode="after")
    def _season_fits(self) -> Series:
        if self.season > self.history:
            raise ValueError(f"a history of {self.history} steps does not reach back one season of {self.season}")
        return self

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        (file,) = self.files(base)
        rows = read_table(file, TextFormat(expected=frozenset(self._columns()), missing=MISSING))
        self._check_names(rows)
        values_NF, when, who, problems = self._read_cells(rows)
        raise_or_skip(f"cannot use {self.path}", problems, on_error)
        runs = [run for g in np.unique(who) for run in self._segments(values_NF[who == g], when[who == g])]
        return self._windows(runs, problems)

    def files(self, base: Path) -> list[Path]:
        return [base / Path(self.path).expanduser()]

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts) -> dict[str, Column]:
        """Return the end of every series: what comes after it is to be predicted."""
        import numpy as np

        if self.known_covariates:
            raise UsageError(
                f"{paths[0]}: the future of {', '.join(self.known_covariates)} is needed too; give both as .npz"
            )
        found = []
        for path in paths:
            source = self.with_path(path)
            rows = read_table(path, TextFormat(expected=frozenset(self._columns()), missing=MISSING))
            source._check_names(rows)
            values_NF, when, who, problems = source._read_cells(rows)
            raise_or_skip(f"cannot use {path}", problems, "raise")
            found += [source._segments(values_NF[who == g], when[who == g])[-1].values for g in np.unique(who)]
        short = min(map(len, found))
        if short < self.history:
            raise DataError(f"{paths[0]}: the last stretch without a gap has {short} steps, fewer than {self.history}")
        last_NLF = np.stack([values[-self.history :] for values in found]).astype(np.float32)
        return {"history": Column(last_NLF, "TF", "numeric", names=tuple(self._values()))}

    def _targets(self) -> tuple[str, ...]:
        return (self.target,) if isinstance(self.target, str) else self.target

    def _values(self) -> list[str]:
        return list(dict.fromkeys([*self._targets(), *self.covariates, *self.known_covariates]))

    def _columns(self) -> list[str]:
        return [*self._values(), *(name for name in (self.time, self.series) if name is not None)]

    def _check_names(self, rows: RawTable) -> None:
        for name in self._columns():
            if name not in rows.names:
                near = nearest(name, rows.names)
                meant = f"; did you mean '{near[0]}'?" if near else ""
                raise DataError(f"{self.path} has no column '{name}'{meant}; it has {', '.join(rows.names)}")

    def _read_cells(self, rows: RawTable) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
        """Return the values, the step of time and the number of the series of every good row, and what is wrong."""
        import numpy as np

        cells = {name: clean_cells(rows.columns[rows.names.index(name)], MISSING) for name in self._columns()}
        bad: dict[int, str] = {}
        numeric = [self._numbers(name, cells[name], bad, rows) for name in self._values()]
        names = cells[self.series] if self.series else np.zeros(len(rows.lines))
        _, who = np.unique(np.array([str(name) for name in names]), return_inverse=True)
        kept, times = self._times(cells, who, bad, rows)
        values_NF = np.stack(numeric, axis=1)[kept]
        when = times if self.time is None or self.gaps == "ignore" else time_steps(times, who[kept], self.unit)
        return values_NF, when, who[kept], [*rows.problems, *(bad[row] for row in sorted(bad))]

    def _numbers(self, name: str, cells: np.ndarray, bad: dict[int, str], rows: RawTable) -> np.ndarray:
        values, wrong = parse_numbers(cells)
        for row in wrong.nonzero()[0]:
            bad.setdefault(int(row), f"{rows.path}:{rows.lines[row]}: column '{name}': '{cells[row]}' is not a number")
        return values

    def _times(
        self, cells: dict[str, np.ndarray], who: np.ndarray, bad: dict[int, str], rows: RawTable
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that can be used and their moments, as they stand or as the time column says."""
        import numpy as np
        import pandas as pd

        if self.time is None:
            kept = np.setdiff1d(np.arange(len(who)), list(bad))
            return kept, pd.Series(who).groupby(who).cumcount().to_numpy()[kept]
        times, wrong = parse_times(cells[self.time], self.time_format)
        for row in wrong.nonzero()[0]:
            place = f"{rows.path}:{rows.lines[row]}: column '{self.time}'"
            bad.setdefault(int(row), f"{place}: '{cells[self.time][row]}' is not a time")
        seen: dict[tuple[object, object], int] = {}
        for row in np.flatnonzero(~wrong):
            first = seen.setdefault((who[row], times[row]), int(row))
            if first != row:
                place = f"{rows.path}:{rows.lines[row]}: column '{self.time}'"
                bad.setdefault(int(row), f"{place}: '{cells[self.time][row]}' stands in line {rows.lines[first]} too")
        kept = np.setdiff1d(np.arange(len(who)), list(bad))
        return kept, times[kept]

    def _segments(self, values_NF: np.ndarray, when: np.ndarray) -> list[_Segment]:
        """Return one series as stretches without a gap."""
        import numpy as np

        order = np.argsort(when, kind="stable")
        values_NF, when = values_NF[order], when[order]
        if self.gaps == "ignore":
            when = np.arange(len(when))
        if self.gaps == "forward_fill":
            values_NF, when = _forward_filled(values_NF, when)
        whole = ~np.isnan(values_NF).any(axis=1)
        values_NF, when = values_NF[whole], when[whole]
        ends = np.flatnonzero(np.diff(when) != 1) + 1
        return [_Segment(v, w) for v, w in zip(np.split(values_NF, ends), np.split(when, ends), strict=True) if len(w)]

    def _windows(self, runs: list[_Segment], problems: list[str]) -> Samples:
        import numpy as np

        length, begin = self.history + self.horizon, 0
        starts, times = [np.array([], dtype=np.int64)], [np.array([], dtype=np.int64)]
        for run in runs:
            places = np.arange(0, len(run.when) - length + 1, self.stride)
            starts.append(begin + places)
            times.append(run.when[places + self.history])
            begin += len(run.when)
        first, time = np.concatenate(starts), np.concatenate(times)
        if not len(first):
            longest = max((len(run.when) for run in runs), default=0)
            raise DataError(
                f"{self.path}: no window of {self.history} + {self.horizon} steps fits; the longest stretch without a "
                f"gap has {longest} (see `gaps`)"
            )
        values_NF = np.concatenate([run.values for run in runs])
        columns = self._spans(values_NF, first)
        inputs = tuple(name for name in columns if name != "target")
        when = np.stack([time, time + self.horizon], axis=1)
        return Samples(columns, inputs, "target", None, problems, None, when, self.season)

    def _spans(self, values_NF: np.ndarray, first: np.ndarray) -> dict[str, Column]:
        import numpy as np

        def column(names: tuple[str, ...], offset: int, length: int) -> Column:
            chosen = values_NF[:, [self._values().index(name) for name in names]]
            spans = Spans(np.ascontiguousarray(chosen), first + offset, np.full(len(first), length))
            return Column(spans, "TF", "numeric", names=names)

        columns = {"history": column(tuple(self._values()), 0, self.history)}
        if self.known_covariates:
            columns["future"] = column(self.known_covariates, self.history, self.horizon)
        return {**columns, "target": column(self._targets(), self.history, self.horizon)}


@dataclass(frozen=True)
class _Segment:
    """Moments that follow each other without a gap: their values, and when they are, in steps."""

    values: np.ndarray
    when: np.ndarray


def _forward_filled(values_NF: np.ndarray, when: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every moment from the first to the last; where a value is missing, the one before it."""
    import numpy as np
    import pandas as pd

    whole = np.arange(when[0], when[-1] + 1)
    row = np.searchsorted(when, whole, side="right") - 1
    filled: np.ndarray = pd.DataFrame(values_NF).ffill().to_numpy()
    return filled[row], whole
