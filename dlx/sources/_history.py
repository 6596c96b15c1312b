"""Time series of a table: every series as stretches without a gap, in the order of time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from dlx.errors import DataError
from dlx.sources._calendar import Steps, Unit, count_steps, format_times, parse_times
from dlx.sources._cells import MISSING, category_name, clean_cells, parse_numbers
from dlx.sources._raw_table import RawTable

if TYPE_CHECKING:
    import numpy as np

TIME_NAMES = ("time", "date", "datetime", "timestamp", "day", "week", "month", "quarter", "year", "ds")
"""How a column of moments is called."""
DATE_TEXT = re.compile(r"\d{4}-\d{2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
SEASONS = {("M", 1.0): 12, ("Q", 1.0): 4, ("D", 1.0): 7, ("h", 1.0): 24, ("min", 15.0): 96, ("W", 1.0): 52}
"""Steps after which a series usually repeats, by unit and size of a step."""
SHORTEST_SERIES, MAX_COVARIATES = 40, 8
"""Fewer moments are no series from which to learn; more columns are not taken along unasked."""
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")

Gaps = Literal["skip", "forward_fill", "ignore"]


@dataclass(frozen=True)
class Segment:
    """Moments that follow each other without a gap: their values, their steps, and their times as the file has them."""

    values: np.ndarray
    steps: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class History:
    """The series of a file, in the order of their names.

    segments  every series by its name, "" where the file holds a single one
    clock     how time is counted
    problems  rows that cannot be used, each with its place and reason
    form      how times are written
    inferred  what was found out about them
    """

    segments: Mapping[str, list[Segment]]
    clock: Steps
    problems: list[str]
    form: str | None
    inferred: str

    def format_times(self, times: np.ndarray) -> list[str]:
        """Return moments as the file writes them."""
        return format_times(times, self.form)


@dataclass(frozen=True)
class HistoryReader:
    """Which columns of a table hold series, and how their time is read.

    values       columns of numbers
    time         column of moments; None takes the rows as they stand
    series       column of the names of series; None where there is one
    time_format  how times are written; None is how the first ones seem to be
    unit         in what times are counted; None is the coarsest unit in which no two moments coincide
    gaps         what happens where a moment or a value is missing
    """

    values: Sequence[str]
    time: str | None
    series: str | None
    time_format: str | None
    unit: Unit | None
    gaps: Gaps

    def read(self, rows: RawTable) -> History:
        """Return every series of a file."""
        import numpy as np

        wanted = [*self.values, *(name for name in (self.time, self.series) if name is not None)]
        cells = {name: clean_cells(rows.cells(name), MISSING) for name in wanted}
        bad: dict[int, str] = {}
        numeric = [self._numbers(name, cells[name], bad, rows) for name in self.values]
        names, who = self._names(cells, bad, rows)
        kept, times, form, inferred = self._times(cells, who, bad, rows)
        clock = self._clock(times, who[kept])
        values_NF = np.stack(numeric, axis=1)[kept]
        segments = {}
        for number, name in enumerate(names):
            mine = who[kept] == number
            segments[name] = self._segments(values_NF[mine], replace(clock, numbers=clock.numbers[mine]), times[mine])
        problems = [*rows.problems, *(bad[row] for row in sorted(bad))]
        return History(segments, clock, problems, form, inferred)

    def _numbers(self, name: str, cells: np.ndarray, bad: dict[int, str], rows: RawTable) -> np.ndarray:
        values, invalid = parse_numbers(cells)
        for row in invalid.nonzero()[0]:
            bad.setdefault(int(row), f"{_place(rows, row, name)}: '{cells[row]}' is not a number")
        return values.astype("float64")

    def _names(
        self, cells: Mapping[str, np.ndarray], bad: dict[int, str], rows: RawTable
    ) -> tuple[list[str], np.ndarray]:
        """Return the names of the series and the number of each row's own."""
        import numpy as np

        if self.series is None:
            return [""], np.zeros(len(rows.lines), dtype=np.int64)
        for row in np.flatnonzero([cell is None for cell in cells[self.series]]):
            bad.setdefault(int(row), f"{_place(rows, row, self.series)}: the series has no name")
        found = [category_name(cell) for cell in cells[self.series]]
        names = sorted(set(found), key=_natural_order)
        number = {name: i for i, name in enumerate(names)}
        return names, np.array([number[name] for name in found], dtype=np.int64)

    def _times(
        self, cells: Mapping[str, np.ndarray], who: np.ndarray, bad: dict[int, str], rows: RawTable
    ) -> tuple[np.ndarray, np.ndarray, str | None, str]:
        """Return the rows that can be used, their moments, how these are written, and what was inferred about them."""
        import numpy as np
        import pandas as pd

        if self.time is None:
            kept = np.setdiff1d(np.arange(len(who)), list(bad))
            return kept, pd.Series(who).groupby(who).cumcount().to_numpy()[kept], None, ""
        found = parse_times(cells[self.time], self.time_format)
        hint = "" if self.time_format else "; say how times are written with `time_format`"
        for row in found.invalid.nonzero()[0]:
            bad.setdefault(int(row), f"{_place(rows, row, self.time)}: '{cells[self.time][row]}' is not a time{hint}")
        seen: dict[tuple[object, object], int] = {}
        for row in np.flatnonzero(~found.invalid):
            first = seen.setdefault((who[row], found.values[row]), int(row))
            if first != row:
                reason = f"'{cells[self.time][row]}' stands in line {rows.lines[first]} too"
                bad.setdefault(int(row), f"{_place(rows, row, self.time)}: {reason}")
        kept = np.setdiff1d(np.arange(len(who)), list(bad))
        return kept, found.values[kept], found.form, found.inferred

    def _clock(self, times: np.ndarray, who: np.ndarray) -> Steps:
        import numpy as np

        if self.time is None:
            return Steps(np.asarray(times, dtype=np.int64))
        if self.gaps == "ignore":
            return Steps(np.argsort(np.argsort(times, kind="stable"), kind="stable"))
        return count_steps(times, who, self.unit)

    def _segments(self, values_NF: np.ndarray, clock: Steps, times: np.ndarray) -> list[Segment]:
        """Return one series as stretches without a gap."""
        import numpy as np

        order = np.argsort(clock.numbers, kind="stable")
        values_NF, numbers, times = values_NF[order], clock.numbers[order], times[order]
        if self.gaps == "ignore":
            numbers = np.arange(len(numbers))
        if self.gaps == "forward_fill" and len(numbers):
            values_NF, numbers, times = _forward_fill(values_NF, replace(clock, numbers=numbers), times)
        whole = ~np.isnan(values_NF).any(axis=1)
        values_NF, numbers, times = values_NF[whole], numbers[whole], times[whole]
        ends = np.flatnonzero(np.diff(numbers) != 1) + 1
        parts = zip(*(np.split(array, ends) for array in (values_NF, numbers, times)), strict=True)
        return [Segment(*part) for part in parts if len(part[0])]


def _natural_order(name: str) -> tuple[bool, float, str]:
    """Return by what names are sorted: 2 is before 10, and numbers are before words."""
    return (False, float(name), name) if NUMBER.fullmatch(name) else (True, 0.0, name)


def recognize_series(rows: RawTable) -> dict[str, Any] | None:
    """Return the fields of a source of series for a table: its time, its target, how far to look back and ahead."""
    cells = {name: clean_cells(rows.cells(name), MISSING) for name in rows.names}
    numeric = [name for name in rows.names if not parse_numbers(cells[name])[1].any()]
    for time in (name for name in rows.names if name.strip().lower() in TIME_NAMES or _are_dates(cells[name])):
        values = [name for name in numeric if name != time]
        groups = [name for name in rows.names if name not in numeric and name != time]
        for series in [None, *groups]:
            try:
                history = HistoryReader(values, time, series, None, None, "skip").read(rows)
            except DataError:
                continue
            steps = [segment.steps for found in history.segments.values() for segment in found]
            longest = max((len(step) for step in steps), default=0)
            if history.problems or not values or longest < SHORTEST_SERIES:
                continue
            season = SEASONS.get((history.clock.unit, history.clock.size), 1)
            season = season if longest >= 6 * season else 1
            fields = {"time": time, "target": values[-1], "history": max(2 * season, 12), "horizon": max(1, season)}
            covariates = values[:-1] if len(values) <= MAX_COVARIATES else []
            named = {"series": series} if series else {}
            more = {"covariates": covariates} if covariates else {}
            return {**fields, **named, **more, **({"season": season} if season > 1 else {})}
    return None


def _are_dates(cells: np.ndarray) -> bool:
    """Say whether nearly all cells of a column are dates, written as text."""
    texts = [cell for cell in cells[:200] if isinstance(cell, str)]
    return len(texts) > 10 and sum(DATE_TEXT.match(text) is not None for text in texts) > 0.95 * len(texts)


def _place(rows: RawTable, row: Any, column: str) -> str:
    return f"{rows.path}:{rows.lines[row]}: column '{column}'"


def _forward_fill(values_NF: np.ndarray, clock: Steps, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every moment from the first to the last; where a value is missing, the one before it."""
    import numpy as np
    import pandas as pd

    whole = np.arange(clock.numbers[0], clock.numbers[-1] + 1)
    row = np.searchsorted(clock.numbers, whole, side="right") - 1
    filled: np.ndarray = pd.DataFrame(values_NF).ffill().to_numpy()
    return filled[row], whole, clock.add_steps(times[row], whole - clock.numbers[row])
