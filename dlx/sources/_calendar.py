"""Moments of a time column as whole steps, so that a gap is a number that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlx.errors import DataError

if TYPE_CHECKING:
    import numpy as np

Unit = Literal["year", "quarter", "month", "week", "day", "hour", "minute", "second"]
FREQUENCIES: dict[Unit, str] = {
    "year": "Y", "quarter": "Q", "month": "M", "week": "W", "day": "D", "hour": "h", "minute": "min", "second": "s",
}  # fmt: skip
"""From the coarsest to the finest, each with pandas's name."""


def parse_times(cells: np.ndarray, form: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return cells as numbers or as times (datetime64), and a mask of those that are neither.

    Times are all written alike: as `form` says, or as the first one is.
    """
    import numpy as np
    import pandas as pd

    from dlx.sources._cells import parse_numbers

    values, wrong = parse_numbers(cells)
    absent = np.array([cell is None for cell in cells], dtype=bool)
    if form is None and not wrong.any():
        return values, absent
    times = pd.to_datetime(pd.Series(cells, dtype=object), errors="coerce", format=form, utc=True)
    found = times.dt.tz_localize(None).to_numpy()
    return found, np.isnat(found)


def time_steps(times: np.ndarray, groups: np.ndarray, unit: Unit | None) -> np.ndarray:
    """Return each moment as a whole number of steps since the first.

    A step is the commonest distance of neighbours in one series. Times are counted in the coarsest unit in which no two
    moments of a series coincide, so that months are equally long. Raises: DataError if a moment lies between two steps.
    """
    import numpy as np

    counted = times.astype(np.float64) if times.dtype.kind == "f" else _count_periods(times, groups, unit)
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
    return whole


def _count_periods(times: np.ndarray, groups: np.ndarray, unit: Unit | None) -> np.ndarray:
    import numpy as np
    import pandas as pd

    counted = np.zeros(len(times))
    for name in [unit] if unit else list(FREQUENCIES):
        counted = pd.PeriodIndex(times, freq=FREQUENCIES[name]).astype("int64").to_numpy().astype(np.float64)
        if len(np.unique(np.stack([groups, counted], axis=1), axis=0)) == len(times):
            break
    return counted
