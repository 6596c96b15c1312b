from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, Strict, model_validator

from dlx.errors import DataError, UsageError
from dlx.facts import DataFacts
from dlx.files import path_from
from dlx.sources import Column, NewInputs, Recognition, Samples, Source, Spans
from dlx.sources._calendar import FREQUENCIES, Unit
from dlx.sources._cells import MISSING
from dlx.sources._delimited import TextFormat
from dlx.sources._errors import raise_or_skip
from dlx.sources._history import Gaps, History, HistoryReader, Segment, recognize_series
from dlx.sources._raw_table import RawTable, read_table, unknown_column

if TYPE_CHECKING:
    import numpy as np

Names = Annotated[tuple[str, ...], Strict(False)]


class Series(Source):
    """Time series: windows of history and horizon from a table with one row for each time step.

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
    gaps: Gaps = "skip"
    """Missing moments and values: no window holds one, the last value is carried on, or rows follow each other whatever
    their times say.
    """

    @model_validator(mode="after")
    def _check_season(self) -> Series:
        if self.season > self.history:
            raise ValueError(f"a history of {self.history} steps does not reach back one season of {self.season}")
        return self

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        """A column of moments at equal distances, and numbers beside it."""
        if not path.is_file() or path.suffix.lower() not in cls.suffixes:
            return None
        found = recognize_series(read_table(path, TextFormat(missing=MISSING)))
        return None if found is None else Recognition(2, "forecasting", found)

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        (file,) = self.files(base)
        rows = self._read_columns(file)
        history = self._read_history(rows)
        raise_or_skip(f"cannot use {self.path}", history.problems, on_error)
        return self._windows(history, rows)

    def files(self, base: Path) -> list[Path]:
        return [path_from(base, self.path)]

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts, keep: Sequence[str] = ()) -> NewInputs:
        """Return the end of every series, with its name and the moment that comes next."""
        import numpy as np

        if self.known_covariates:
            future = ", ".join(self.known_covariates)
            raise UsageError(f"{paths[0]}: the future of {future} is needed too; give both as .npz")
        found: list[np.ndarray] = []
        names, moments, warnings = list[str](), list[str](), list[str]()
        for path in paths:
            source = self.with_path(path)
            history = source._read_history(source._read_columns(path))
            raise_or_skip(f"cannot use {path}", history.problems, "raise")
            for name, segments in history.segments.items():
                short = source._too_short_reason(name, segments)
                if short:
                    warnings.append(f"{path}: {short}")
                    continue
                found.append(segments[-1].values[-self.history :])
                names.append(name)
                moments += history.format_times(history.clock.add_steps(segments[-1].times[-1:], 1))
        if not found:
            raise DataError("\n".join(warnings) or f"{paths[0]}: there is no series")
        history_NLF = np.stack(found).astype(np.float32)
        identity = {self.series: names} if self.series else {}
        identity |= {self.time: moments} if self.time and self.gaps != "ignore" else {}
        columns = {"history": Column(history_NLF, "TF", "numeric", names=tuple(self._values()))}
        return NewInputs(columns, identity, warnings)

    def _too_short_reason(self, name: str, segments: Sequence[Segment]) -> str:
        """Return why the end of a series cannot be continued; "" if it can."""
        which = f"series {name}" if self.series else "the series"
        if not segments:
            return f"{which} has no value"
        steps = len(segments[-1].values)
        reason = f"{which} ends in {steps} steps without a gap, fewer than the {self.history} of `history`"
        return reason if steps < self.history else ""

    def _read_columns(self, file: Path) -> RawTable:
        rows = read_table(file, TextFormat(expected=frozenset(self._columns()), missing=MISSING))
        for name in self._columns():
            if name not in rows.names:
                raise unknown_column(self.path, name, rows.names)
        return rows

    def _targets(self) -> tuple[str, ...]:
        return (self.target,) if isinstance(self.target, str) else self.target

    def _values(self) -> list[str]:
        return list(dict.fromkeys([*self._targets(), *self.covariates, *self.known_covariates]))

    def _columns(self) -> list[str]:
        return [*self._values(), *(name for name in (self.time, self.series) if name is not None)]

    def _read_history(self, rows: RawTable) -> History:
        reader = HistoryReader(self._values(), self.time, self.series, self.time_format, self.unit, self.gaps)
        return reader.read(rows)

    def _windows(self, history: History, rows: RawTable) -> Samples:
        import numpy as np

        length, begin = self.history + self.horizon, 0
        starts, steps = [np.array([], dtype=np.int64)], [np.array([], dtype=np.int64)]
        moments, names = list[np.ndarray](), list[np.ndarray]()
        for name, segment in ((name, segment) for name, found in history.segments.items() for segment in found):
            places = np.arange(0, len(segment.steps) - length + 1, self.stride)
            starts.append(begin + places)
            steps.append(segment.steps[places + self.history])
            moments.append(segment.times[places + self.history])
            names.append(np.full(len(places), name, dtype=object))
            begin += len(segment.steps)
        first, step = np.concatenate(starts), np.concatenate(steps)
        if not len(first):
            raise DataError(self._no_window_reason(history))
        values_NF = np.concatenate([s.values for found in history.segments.values() for s in found])
        columns = self._spans(values_NF, first)
        when = np.stack([step, step + self.horizon], axis=1)
        identity = {self.series: np.concatenate(names)} if self.series else {}
        identity |= {self.time: np.concatenate(moments)} if self.time else {}
        return Samples(
            columns,
            tuple(name for name in columns if name != "target"),
            "target",
            problems=history.problems,
            time=when,
            season=self.season,
            identity=identity,
            inferred=[text for text in (rows.inferred, self._describe_times(history)) if text],
            warnings=[*rows.warnings, *self._gap_warnings(history, len(first))],
        )

    def _no_window_reason(self, history: History) -> str:
        longest = max((len(s.steps) for found in history.segments.values() for s in found), default=0)
        return (
            f"{self.path}: no window of {self.history} + {self.horizon} steps fits; the longest stretch without a "
            f"gap has {longest} (see `gaps`)"
        )

    def _describe_times(self, history: History) -> str:
        """Return how times were read, and how long a step is."""
        if self.time is None or not history.clock.unit:
            return ""
        unit = next(name for name, short in FREQUENCIES.items() if short == history.clock.unit)
        step = f"a step is {history.clock.size:g} {unit}{'s' * (history.clock.size != 1)}"
        return f"column {self.time}: {history.inferred + ', ' if history.inferred else ''}{step}"

    def _gap_warnings(self, history: History, windows: int) -> list[str]:
        """Return how many gaps there are, and how many windows they cost."""
        length = self.history + self.horizon
        found = [segments for segments in history.segments.values() if segments]
        spans = [segments[-1].steps[-1] - segments[0].steps[0] + 1 for segments in found]
        whole = int(sum(max(0, (span - length) // self.stride + 1) for span in spans))
        gaps = sum(len(segments) - 1 for segments in found)
        empty = [name for name, segments in history.segments.items() if not segments]
        short = sum(span < length for span in spans)
        lost = [f"{gaps} gaps cost {whole - windows:,} of {whole:,} windows (see `gaps`)"] if gaps else []
        if short:
            lost.append(
                f"{short} of {len(spans)} series are left out: shorter than {self.history} + {self.horizon} steps"
            )
        return lost + [f"series {name} has no value" for name in empty[:5]]

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
