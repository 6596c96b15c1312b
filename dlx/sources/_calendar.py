"""Moments of a time column as whole steps, so that a gap is a number that is missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dlx.errors import DataError
from dlx.sources._cells import category_name, parse_numbers

if TYPE_CHECKING:
    import numpy as np

Unit = Literal["year", "quarter", "month", "week", "day", "hour", "minute", "second"]
FREQUENCIES: dict[Unit, str] = {
    "year": "Y", "quarter": "Q", "month": "M", "week": "W", "day": "D", "hour": "h", "minute": "min", "second": "s",
}  # fmt: skip
"""From the coarsest to the finest, each with pandas's name."""
DAY_AND_MONTH = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})([ T].*)?")
"""Dates of which the first two numbers may be day and month, or month and day."""
COMPACT = {8: "%Y%m%d", 6: "%Y%m"}
"""Dates that are written as one whole number, by how many digits it has."""
YEARS = (1600, 2200)
"""A whole number is a date only between these years."""


@dataclass(frozen=True)
class Times:
    """A time column: numbers, or datetime64, with NaN or NaT where a cell is neither.

    form      how the cells are written, as strptime says it; None where they are numbers or several forms
    inferred  what was found out about them
    """

    values: np.ndarray
    form: str | None = None
    inferred: str = ""

    @property
    def invalid(self) -> np.ndarray:
        """Which cells are no times."""
        import numpy as np

        invalid: np.ndarray = np.isnat(self.values) if self.values.dtype.kind == "M" else np.isnan(self.values)
        return invalid


def parse_times(cells: np.ndarray, form: str | None) -> Times:
    """Return cells as numbers or as times, all written alike: as `form` says, or as they seem to be.

    Raises: DataError if it cannot be told whether the day or the month comes first.
    """
    values, invalid = parse_numbers(cells)
    if form is None and not invalid.any():
        compact = _compact_form(cells)
        return Times(values.astype("float64")) if compact is None else _read(cells, compact, "dates written as numbers")
    if form is not None:
        return _read(cells, form, "")
    if any(not isinstance(cell, str | int | float) for cell in cells if cell is not None):
        return _read(cells, None, "")  # a file of typed columns, such as parquet
    order = _day_or_month_first(cells)
    if order is not None:
        return _read(cells, order, "")
    return _read(cells, _guess_form([str(cell) for cell in cells if cell is not None]), "")


def _read(cells: np.ndarray, form: str | None, what: str) -> Times:
    import pandas as pd

    text = pd.Series([None if cell is None else category_name(cell) if form else cell for cell in cells], dtype=object)
    found = pd.to_datetime(text, errors="coerce", format=form, utc=True).dt.tz_localize(None).to_numpy()
    return Times(found, form, f"{what + ', ' if what else ''}read as {form}" if form else "")


def _compact_form(cells: np.ndarray) -> str | None:
    """Return the form of dates such as 20240131 or 202401, if all numbers of a column are such."""
    import numpy as np
    import pandas as pd

    texts = [category_name(cell) for cell in cells if cell is not None]
    lengths = {len(text) for text in texts}
    if len(lengths) != 1 or not all(text.isascii() and text.isdigit() for text in texts):
        return None
    form = COMPACT.get(lengths.pop())
    if form is None or not all(YEARS[0] <= int(text[:4]) <= YEARS[1] for text in texts):
        return None
    found = pd.to_datetime(pd.Series(texts, dtype=object), errors="coerce", format=form)
    return None if bool(np.asarray(found.isna()).any()) else form


def _day_or_month_first(cells: np.ndarray) -> str | None:
    """Return the form of dates such as 31/01/2024 or 01/31/2024: what is greater than 12 is the day.

    Raises: DataError if nothing is.
    """
    found = [DAY_AND_MONTH.fullmatch(str(cell)) for cell in cells if cell is not None]
    matches = [match for match in found if match is not None]
    if not matches or len(matches) < len(found) / 2:
        return None
    mark, year = matches[0][2], "%Y" if len(matches[0][4]) == 4 else "%y"
    clock = _guess_form([f"2000-01-01{match[5]}" for match in matches if match[5]])
    rest = f"{mark}{year}{(clock or '')[len('%Y-%m-%d') :]}"
    day_first, month_first = f"%d{mark}%m{rest}", f"%m{mark}%d{rest}"
    first = any(int(match[1]) > 12 for match in matches)
    second = any(int(match[3]) > 12 for match in matches)
    if not first and not second:
        raise DataError(
            f"'{matches[0][0]}' may begin with the day or with the month, and so may every other time: say which with "
            f'`time_format: "{day_first}"` or `"{month_first}"`'
        )
    return day_first if first else month_first


def _guess_form(texts: list[str]) -> str | None:
    """Return the form of most texts as pandas guesses it from the first, None where it cannot."""
    from pandas.tseries.api import guess_datetime_format

    return guess_datetime_format(texts[0]) if texts else None


@dataclass(frozen=True)
class Steps:
    """Moments counted in steps of time, from the first one on.

    numbers  the step of each moment, a whole number
    size     units of a step
    unit     pandas's name of the unit, "" where moments are numbers
    at_end   whether moments are the last days of their months, quarters or years
    """

    numbers: np.ndarray
    size: float = 1.0
    unit: str = ""
    at_end: bool = False

    def add_steps(self, times: np.ndarray, steps: Any) -> np.ndarray:
        """Return the moments so many steps after others."""
        import numpy as np
        import pandas as pd

        units = np.asarray(steps) * self.size
        if not self.unit:
            return np.asarray(times + units)
        found = pd.DatetimeIndex(times)
        periods = found.to_period(self.unit)
        later = periods + np.broadcast_to(np.rint(units).astype(np.int64), len(found))
        last_days, same_places = later.end_time.floor("D"), later.start_time + (found - periods.start_time)
        moments: np.ndarray = (last_days if self.at_end else same_places).to_numpy()
        return moments


def count_steps(times: np.ndarray, groups: np.ndarray, unit: Unit | None) -> Steps:
    """Return each moment as a whole number of steps since the first.

    A step is the commonest distance of neighbors in one series. Times are counted in the coarsest unit in which no two
    moments of a series coincide, so that months are equally long. Raises: DataError if a moment lies between two steps.
    """
    import numpy as np

    name = "" if times.dtype.kind == "f" else _unit(times, groups, unit)
    counted = _periods(times, name) if name else times
    distance = np.concatenate([np.diff(np.sort(counted[groups == g])) for g in np.unique(groups)])
    if not len(distance):
        raise DataError("a series of one single moment has no step of time")
    found, often = np.unique(distance, return_counts=True)
    step = found[often.argmax()]
    if step <= 0:
        raise DataError(
            "most moments of a series stand twice; if there are several series, name their column: `series`"
        )
    place = (counted - counted.min()) / step
    whole: np.ndarray = np.rint(place).astype(np.int64)
    between = np.flatnonzero(abs(place - whole) > 0.01)
    if len(between):
        raise DataError(f"moment {times[between[0]]} lies between two steps; say the `unit`, or `gaps: ignore`")
    return Steps(whole, float(step), name, bool(name) and name in "YQM" and _are_last_days(times, name))


def _are_last_days(times: np.ndarray, name: str) -> bool:
    import pandas as pd

    found = pd.DatetimeIndex(times)
    return bool((found == found.to_period(name).end_time.floor("D")).all())


def _unit(times: np.ndarray, groups: np.ndarray, unit: Unit | None) -> str:
    """Return the name of the unit in which times are counted."""
    import numpy as np

    for name in FREQUENCIES.values() if unit is None else [FREQUENCIES[unit]]:
        pairs = np.stack([groups, _periods(times, name)], axis=1)
        if len(np.unique(pairs, axis=0)) == len(times):
            break
    return name


def _periods(times: np.ndarray, name: str) -> np.ndarray:
    import numpy as np
    import pandas as pd

    counted: np.ndarray = pd.PeriodIndex(times, freq=name).astype("int64").to_numpy().astype(np.float64)
    return counted


def format_times(times: np.ndarray, form: str | None) -> list[str]:
    """Return moments as text, as the file writes its own: by day alone where none has a time of day."""
    import pandas as pd

    if times.dtype.kind != "M":
        return [str(int(time)) if float(time).is_integer() else str(time) for time in times]
    found = pd.DatetimeIndex(times)
    if form is None:
        form = "%Y-%m-%d" if bool((found == found.floor("D")).all()) else "%Y-%m-%d %H:%M:%S"
    return [str(text) for text in found.strftime(form)]
