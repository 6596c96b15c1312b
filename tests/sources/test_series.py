"""Time series: windows, calendars, gaps, and rows that are bad."""

import numpy as np
import pandas as pd
import pytest
from kit import load_source

from dlx.errors import DataError


def rows(column):
    return [column.values[i] for i in range(len(column))]


SERIES = "day,shop,sold,price\n" + "".join(
    f"2024-02-{27 + d if d < 3 else d - 2:02d},{s},{10 * i + d},{d}\n".replace("2024-02-0", "2024-03-0")
    for i, s in enumerate(("x", "y"))
    for d in range(8)
)


def series(folder, text=SERIES, **fields):
    (folder / "s.csv").write_text(text)
    given = {"path": "s.csv", "time": "day", "series": "shop", "target": "sold", "history": 3, "horizon": 2}
    return load_source({"series": {**given, **fields}}, folder)


def test_series_are_windows_that_a_loop_would_cut(tmp_path):
    samples = series(tmp_path, covariates=["price"])
    frame = pd.read_csv(tmp_path / "s.csv")
    expected = [
        (part.iloc[i : i + 3][["sold", "price"]].to_numpy(), part.iloc[i + 3 : i + 5][["sold"]].to_numpy(), i + 3)
        for _, part in frame.groupby("shop")
        for i in range(4)
    ]
    assert len(samples.columns["history"]) == len(expected)
    for i, (history, target, when) in enumerate(expected):
        assert np.array_equal(samples.columns["history"].values[i], history)
        assert np.array_equal(samples.columns["target"].values[i], target)
        assert samples.time[i].tolist() == [when, when + 2]


def test_series_in_any_order_of_rows_are_the_same(tmp_path):
    lines = SERIES.splitlines(keepends=True)
    first, second = series(tmp_path), series(tmp_path, "".join([lines[0], *lines[:0:-1]]))
    assert all(map(np.array_equal, rows(first.columns["history"]), rows(second.columns["history"])))


def test_values_known_ahead_are_those_of_the_horizon(tmp_path):
    samples = series(tmp_path, known_covariates=["price"], stride=2)
    assert samples.inputs == ("history", "future") and len(samples.columns["future"]) == 4
    assert samples.columns["future"].values[1].tolist() == [[5], [6]]
    assert samples.columns["history"].names == ("sold", "price")


def test_gaps_are_left_out_carried_on_or_ignored(tmp_path):
    days = [0, 1, 2, 3, 5, 6, 7, 8, 9]
    text = "day,shop,sold\n" + "".join(f"{d},x,{d}\n" for d in days)
    windows = rows(series(tmp_path, text, history=2, horizon=1).columns["history"])
    assert [w[:, 0].tolist() for w in windows] == [[0, 1], [1, 2], [5, 6], [6, 7], [7, 8]]
    carried = rows(series(tmp_path, text, history=2, horizon=1, gaps="forward_fill").columns["history"])
    assert [3, 3] in [w[:, 0].tolist() for w in carried] and len(carried) == 8
    ignored = rows(series(tmp_path, text, history=2, horizon=1, gaps="ignore").columns["history"])
    assert [3, 5] in [w[:, 0].tolist() for w in ignored] and len(ignored) == 7


@pytest.mark.parametrize("freq", ["YS", "QS", "MS", "W", "D", "h", "15min", "s"])
def test_calendars_are_counted_in_equal_steps(tmp_path, freq):
    times = pd.date_range("2023-01-01", periods=40, freq=freq)
    text = "day,shop,sold\n" + "".join(f"{t},x,{i}\n" for i, t in enumerate(times))
    assert len(series(tmp_path, text).columns["history"]) == 36
    missing = "day,shop,sold\n" + "".join(f"{t},x,{i}\n" for i, t in enumerate(times) if i != 20)
    assert len(series(tmp_path, missing).columns["history"]) == 16 + 15


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2024-03-06,x,abc,1\n", r"s\.csv:18: column 'sold': 'abc' is not a number"),
        ("someday,x,1,1\n", r"s\.csv:18: column 'day': 'someday' is not a time"),
        ("2024-02-27,x,1,1\n", r"s\.csv:18: column 'day': '2024-02-27' stands in line 2 too"),
        ("2024-03-06,x,1\n", r"s\.csv:18: 3 cells where 4 columns"),
    ],
)
def test_a_bad_row_of_a_series_is_named(tmp_path, line, reason):
    with pytest.raises(DataError, match=reason):
        series(tmp_path, SERIES + line)
    (tmp_path / "s.csv").write_text(SERIES + line)
    spec = {"path": "s.csv", "time": "day", "series": "shop", "target": "sold", "history": 3, "horizon": 2}
    assert len(load_source({"series": spec}, tmp_path, "skip").columns["history"]) == 8


def test_series_that_cannot_be_cut_say_why(tmp_path):
    with pytest.raises(DataError, match=r"no window of 30 \+ 2 steps fits; the longest stretch .* has 8"):
        series(tmp_path, history=30)
    with pytest.raises(DataError, match="no column 'sod'; did you mean 'sold'"):
        series(tmp_path, target="sod")


@pytest.mark.parametrize(
    ("written", "form", "first"),
    [
        ([f"{d:02d}/01/2024" for d in range(1, 21)], "%d/%m/%Y", "2024-01-04"),
        ([f"01/{d:02d}/2024" for d in range(1, 21)], "%m/%d/%Y", "2024-01-04"),
        ([f"{2020 + i // 12}{i % 12 + 1:02d}" for i in range(20)], "%Y%m", "2020-04-01"),
        ([f"202001{d:02d}" for d in range(1, 21)], "%Y%m%d", "2020-01-04"),
    ],
)
def test_dates_are_read_as_all_rows_allow_and_that_is_said(written, form, first, tmp_path):
    text = "day,sold\n" + "".join(f"{when},{i}\n" for i, when in enumerate(written))
    samples = series(tmp_path, text, series=None)
    assert len(samples.columns["history"]) == 16
    assert str(np.asarray(samples.identity["day"])[0]).startswith(first)
    assert any(f"read as {form}" in said for said in samples.inferred)


def test_a_forecast_carries_its_series_and_its_moment(tmp_path):
    identity = series(tmp_path).identity
    assert list(identity["shop"]) == ["x"] * 4 + ["y"] * 4
    assert [str(when)[:10] for when in identity["day"][:2]] == ["2024-03-01", "2024-03-02"]


def test_series_that_are_too_short_are_counted(tmp_path):
    samples = series(tmp_path, SERIES + "2024-03-01,z,1,1\n")
    assert samples.warnings == ["1 of 3 series are left out: shorter than 3 + 2 steps"]
    assert series(tmp_path).warnings == []
