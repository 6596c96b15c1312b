"""Cells of tables: numbers as spreadsheets write them, whole numbers of 64 bits, and categories that are none."""

import json

import numpy as np
import pandas as pd
import pytest
from kit import load_source

from dlx.errors import DataError

IDS = [2**53, 2**53 + 1, 2**53 + 2, -(2**53) - 1]


def table(folder, cells, **fields):
    (folder / "t.csv").write_text("\n".join(["a;b", *(f"{cell};0" for cell in cells)]))
    return load_source({"table": {"path": "t.csv", "separator": ";", "header": True, **fields}}, folder)


def test_decimal_comma_and_thousands(tmp_path):
    samples = table(tmp_path, ["1.234,5", "-0,25", ""], decimal=",", thousands=".")
    assert np.array_equal(samples.columns["a"].values, [1234.5, -0.25, np.nan], equal_nan=True)
    assert table(tmp_path, ["1,234", "2,000,000.5"], thousands=",").columns["a"].values.tolist() == [1234, 2000000.5]


def test_a_point_among_decimal_commas_is_wrong(tmp_path):
    with pytest.raises(DataError, match=r"t\.csv:3: column 'a': '2\.5' is not a number"):
        table(tmp_path, ["1,5", "2.5", *["3,5"] * 30], decimal=",", types={"a": "numeric"})


@pytest.mark.parametrize(
    ("cells", "meant"),
    [
        ([f"{i},{i % 90 + 10}" for i in range(40)], "decimal comma? `decimal: ','`"),
        ([f"{i},{i % 900 + 100}" for i in range(40)], "decimal comma (`decimal: ','`) or a separator of thousands"),
        ([f"{i},{i % 900 + 100}.5" for i in range(40)], "separator of thousands? `thousands: ','`"),
        ([f"{i}.500,{i % 90 + 10}" for i in range(40)], "`decimal: ','` and `thousands: .`"),
        ([f"{i}.5 %" for i in range(40)], "numbers with a unit (%)"),
        ([f"$ {i}.5" for i in range(40)], "numbers with a unit ($)"),
        ([f"2024-01-{i % 28 + 1:02} 10:{i:02}" for i in range(40)], "dates or times?"),
        ([f"A{i * 7919}" for i in range(40)], "an identifier"),
    ],
)
def test_categories_that_were_meant_as_something_else_are_said(tmp_path, cells, meant):
    (warning,) = table(tmp_path, cells).warnings
    assert warning.startswith("column a: 40 categories in 40 rows, such as") and meant in warning
    assert table(tmp_path, cells, types={"a": "categorical"}).warnings == []


def test_categories_that_repeat_are_not_doubted(tmp_path):
    assert table(tmp_path, ["red", "green", "2nd", "C3"] * 20).warnings == []


@pytest.mark.parametrize("value", [pd.Timedelta("1h"), pd.Timestamp("2024-01-01"), [1, 2]])
def test_columns_of_other_types_are_said(tmp_path, value):
    frame = pd.DataFrame({"a": [value] * 3 + [value * 2 if not isinstance(value, pd.Timestamp) else pd.Timestamp(0)]})
    frame.to_parquet(tmp_path / "t.parquet")
    (warning,) = load_source({"table": "t.parquet"}, tmp_path).warnings
    assert "values of type" in warning


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("missing", [False, True])
def test_whole_numbers_of_64_bits_stay_apart(tmp_path, suffix, missing):
    ids = [*IDS, *([None] if missing else [])]
    path = tmp_path / f"t.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps({"id": i, "x": 0}) + "\n" for i in ids))
    else:
        frame = pd.DataFrame({"id": pd.array(ids, dtype="Int64"), "x": 0})
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    assert load_source({"table": path.name}, tmp_path).columns["id"].values.tolist() == ids


def test_whole_numbers_of_64_bits_in_arrays_stay_apart(tmp_path):
    for kind in (np.int64, np.uint64):
        np.savez(tmp_path / "t.npz", x=np.zeros(3), y=np.array(IDS[:3], dtype=kind))
        assert load_source({"npz": "t.npz"}, tmp_path).columns["y"].values.tolist() == IDS[:3]


def test_the_index_of_a_parquet_file_is_a_column_where_it_has_a_name(tmp_path):
    frame = pd.DataFrame({"v": [1.0, 2.0]}, index=pd.Index([5, 6], name="time"))
    frame.to_parquet(tmp_path / "named.parquet")
    frame.rename_axis(None).to_parquet(tmp_path / "unnamed.parquet")
    frame.reset_index(drop=True).to_parquet(tmp_path / "range.parquet")
    named = load_source({"table": "named.parquet"}, tmp_path).columns
    assert named["time"].values.tolist() == [5, 6] and set(named) == {"v", "time"}
    for name in ("unnamed", "range"):
        assert set(load_source({"table": f"{name}.parquet"}, tmp_path).columns) == {"v"}


def test_lines_of_json_end_with_a_line_feed_alone(tmp_path):
    texts = ["one\u2028two", "three\u0085four", "five\x0csix", "seven\x1ceight", "nine\rten"]
    lines = [json.dumps({"t": text}, ensure_ascii=False) for text in texts]
    (tmp_path / "t.jsonl").write_text("\r\n".join(lines) + "\n", newline="")
    samples = load_source({"table": {"path": "t.jsonl", "types": {"t": "text"}}}, tmp_path)
    assert samples.columns["t"].values.tolist() == texts


def test_a_name_that_stands_twice_in_an_object_is_a_problem(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 1, "b": 2}\n{"a": 1, "a": 2}\n')
    with pytest.raises(DataError, match=r"t\.jsonl:2: the name 'a' stands twice"):
        load_source({"table": "t.jsonl"}, tmp_path)
