"""Tables are what pandas reads of the same files."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kit import load_source

from dlx.errors import DataError

REAL = Path(os.environ.get("DLX_DATA", Path(__file__).parents[2] / "../shared/data"))


def real(folder):
    if not (REAL / folder).is_dir():
        pytest.skip(f"needs real data: set DLX_DATA to a folder that holds {folder}/")
    return REAL


TABLE = "age, job,wage\n39, clerk ,10.5\n?, smith,1e3\n50,NA,-3\n"


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path


def same(samples, frame):
    for name, column in samples.columns.items():
        expected = frame[name]
        if column.kind == "numeric":
            assert np.array_equal(column.values, expected.to_numpy("float64", na_value=np.nan), equal_nan=True), name
        else:
            assert list(column.values) == [None if pd.isna(cell) else str(cell) for cell in expected], name


def test_table_is_what_pandas_reads(table):
    samples = load_source({"table": "t.csv"}, table)
    same(
        samples, pd.read_csv(table / "t.csv", skipinitialspace=True, na_values="?").assign(job=["clerk", "smith", None])
    )
    assert [column.kind for column in samples.columns.values()] == ["numeric", "categorical", "numeric"]


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet", "csv.gz"])
def test_other_formats_hold_the_same(table, suffix):
    frame = pd.DataFrame({"age": [39, None, 50], "job": ["clerk", "smith", None], "flag": [True, False, True]})
    path = table / f"u.{suffix}"
    {
        "tsv": lambda: frame.to_csv(path, sep="\t", index=False),
        "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        "parquet": lambda: frame.to_parquet(path),
        "csv.gz": lambda: frame.to_csv(path, index=False),
    }[suffix]()
    same(load_source({"table": path.name}, table), frame)


def test_table_types_targets_and_parts(table):
    (table / "test.csv").write_text("wage,age,job\n7,20,smith\n")
    spec = {"table": {"path": "t.csv", "test_path": "test.csv", "target": "wage", "types": {"age": "categorical"}}}
    samples = load_source(spec, table)
    assert list(samples.splits) == ["train"] * 3 + ["test"]
    assert list(samples.columns["age"].values) == ["39", None, "50", "20"]
    assert samples.inputs == ("age", "job") and samples.target == "wage"
    assert list(samples.columns["wage"].values) == [10.5, 1000, -3, 7]


def test_renamed_columns_find_their_places_in_a_later_file(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n")
    (tmp_path / "u.csv").write_text("b,a\ny,2\n")
    samples = load_source({"table": {"path": "t.csv", "test_path": "u.csv", "columns": ["size", "name"]}}, tmp_path)
    assert samples.columns["size"].values.tolist() == [1, 2]
    assert samples.columns["name"].values.tolist() == ["x", "y"]


def test_several_targets_are_a_vector(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,2,x,0\n3,4,y,0\n")
    samples = load_source({"table": {"path": "t.csv", "target": ["b", "a"], "types": {"d": "ignore"}}}, tmp_path)
    assert samples.columns["target"].values.tolist() == [[2, 1], [4, 3]]
    assert samples.columns["target"].names == ("b", "a") and samples.inputs == ("c",)


def test_table_names_the_column_that_was_meant(table):
    with pytest.raises(DataError, match="no column 'wages'; did you mean 'wage'"):
        load_source({"table": {"path": "t.csv", "target": "wages"}}, table)


def test_real_tables(caplog):
    base = real("tabular")
    adult = load_source(
        {
            "table": {
                "path": "tabular/adult-train.csv",
                "test_path": "tabular/adult-test.csv",
                "target": "c15",
                "strip_end": ".",
            }
        },
        base,
    )
    assert set(adult.columns["c15"].values) == {"<=50K", ">50K"}
    assert (adult.splits == "train").sum() == 32561 and (adult.splits == "test").sum() == 16281
    frame = pd.read_csv(base / "tabular/adult-train.csv", header=None, skipinitialspace=True, na_values="?")
    frame.columns = [f"c{i + 1}" for i in range(15)]
    for name, column in adult.columns.items():
        missing = pd.isna(column.values[:32561])
        assert (missing == frame[name].isna()).all()
        assert (column.values[:32561][~missing] == frame[name].dropna().to_numpy()).all()
    reviews = {"path": "sst2/train.tsv", "val_path": "sst2/dev.tsv", "test_path": "sst2/test.tsv", "quoted": False}
    assert len(load_source({"table": reviews}, real("sst2")).splits) == 6920 + 872 + 1821
    assert not caplog.records


def test_a_table_has_columns_of_text(tmp_path):
    (tmp_path / "films.tsv").write_text("None of it works\t0\nwell , made\t1\n\t1\n")
    spec = {
        "path": "films.tsv",
        "header": False,
        "columns": ["text", "label"],
        "target": "label",
        "types": {"text": "text"},
    }
    samples = load_source({"table": spec}, tmp_path)
    assert samples.columns["text"].kind == "text" and samples.inputs == ("text",)
    assert list(samples.columns["text"].values) == ["None of it works", "well , made", None]
    (tmp_path / "films.jsonl").write_text('{"text": "a, \\"b\\"", "label": 1}\n')
    (text,) = (
        load_source({"table": {"path": "films.jsonl", "types": {"text": "text"}}}, tmp_path).columns["text"].values
    )
    assert text == 'a, "b"'
