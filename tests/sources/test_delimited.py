"""Delimited text: separator, header and encoding are found, and what is guessed is said."""

import pytest
from kit import load_source

from dlx.errors import DataError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b\n1,2\n", ["a", "b"]),
        ("1,2\n3,4\n", ["c1", "c2"]),
        ("x,?\ny,2\n", ["c1", "c2"]),
        ("name,size\nx,?\ny,2\n", ["name", "size"]),
        (",size\n0,1\n1,2\n", ["c1", "size"]),
        ("red,blue\nred,green\n", ["c1", "c2"]),
        ("color,sky\nred,green\n", ["color", "sky"]),
        ('"a";"b"\n1;2\n', ["a", "b"]),
    ],
)
def test_header_and_separator_are_found(tmp_path, text, names):
    (tmp_path / "t.csv").write_text(text)
    assert list(load_source({"table": "t.csv"}, tmp_path).columns) == names


def test_a_warning_says_that_a_header_of_text_is_a_guess(tmp_path):
    (tmp_path / "t.csv").write_text("color,sky\nred,green\n")
    (warning,) = load_source({"table": "t.csv"}, tmp_path).warnings
    assert "header: true" in warning
    assert load_source({"table": {"path": "t.csv", "header": True}}, tmp_path).warnings == []


def names_of(folder, text, **fields):
    (folder / "t.csv").write_text(text, newline="")
    return list(load_source({"table": {"path": "t.csv", **fields}}, folder).columns)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sep=;\na;b\n1,5;2\n", ["a", "b"]),
        ("SEP=|\r\na|b\r\n1|2\r\n", ["a", "b"]),
        ('"weight, kg, net";"y"\n0.1;0.2\n', ["weight, kg, net", "y"]),
        ("a;b\n1,25;2,5\n3,5;4,75\n", ["a", "b"]),
        ("note|a\nx, y, z|1\nu, v|2\n", ["note", "a"]),
        ("a\tb\n1,5\t2,5\n", ["a", "b"]),
        ("v1,v2,,\nham,hi there,,\nspam,win now,,\n", ["v1", "v2", "c3", "c4"]),
    ],
)
def test_separators_in_quotes_and_decimals_are_none(tmp_path, text, names):
    assert names_of(tmp_path, text) == names


def test_lines_keep_their_numbers_after_the_line_that_names_the_separator(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\na;b\n1;2\n3;4;5\n")
    with pytest.raises(DataError, match=r"t\.csv:4: 3 cells where 2"):
        load_source({"table": "t.csv"}, tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path, encoding):
    text = "naïve,b\n1,2\n" if encoding != "utf-16-le" else "\ufeffnaïve,b\n1,2\n"
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert list(load_source({"table": "t.csv"}, tmp_path).columns) == ["naïve", "b"]


@pytest.mark.parametrize(
    ("data", "fields", "reason"),
    [
        ("a,b\n".encode("utf-16"), {"encoding": "latin-1"}, "byte order mark of utf-16"),
        ("über,b\n1,2\n".encode("utf-16-le"), {}, "encoding: utf-16-le"),
        ("preis,€\n1,2\n".encode("cp1252"), {}, "encoding: cp1252"),
        ("größe,b\n1,2\n".encode("latin-1"), {}, "encoding: latin-1"),
    ],
)
def test_a_wrong_encoding_leads_to_the_right_one(tmp_path, data, fields, reason):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(DataError, match=reason):
        load_source({"table": {"path": "t.csv", **fields}}, tmp_path)


def later(folder, first, second, **fields):
    (folder / "train.csv").write_text(first)
    (folder / "test.csv").write_text(second)
    return load_source({"table": {"path": "train.csv", "test_path": "test.csv", **fields}}, folder)


@pytest.mark.parametrize("header", ["auto", True])
def test_a_later_file_with_other_names_is_refused(tmp_path, header):
    with pytest.raises(
        DataError, match=r"test\.csv has no column 'a' \(nor b\), which train\.csv has; did it mean 'A'"
    ):
        later(tmp_path, "a,b,y\n1,2,3\n4,5,6\n", "B,A,y\n2,1,3\n", header=header)


def test_a_later_file_in_another_order_or_with_more_columns_is_read_by_name(tmp_path):
    samples = later(tmp_path, "a,b,y\n1,2,3\n", ",y,b,a\n0,30,20,10\n", target="y")
    assert samples.columns["a"].values.tolist() == [1, 10] and samples.columns["y"].values.tolist() == [3, 30]
    assert samples.warnings == ["test.csv: left out c1, which train.csv has not"]


def test_a_later_file_without_the_target_is_one_problem(tmp_path):
    with pytest.raises(DataError) as error:
        later(tmp_path, "a,y\n1,2\n", "a\n1\n2\n3\n", target="y")
    assert str(error.value) == f"{tmp_path / 'test.csv'} has no column 'y', which train.csv has; it has a"


def test_a_column_that_is_ignored_may_be_absent_from_a_later_file(tmp_path):
    samples = later(tmp_path, "id,a,y\n7,1,2\n", "a,y\n3,4\n", target="y", types={"id": "ignore"})
    assert samples.columns["a"].values.tolist() == [1, 3]


def test_a_later_file_without_names_is_taken_by_place_and_said(tmp_path):
    samples = later(tmp_path, "a,y\n1,2\n", "3,4\n")
    assert samples.columns["a"].values.tolist() == [1, 3]
    assert ["by their place" in warning for warning in samples.warnings] == [True]
    with pytest.raises(DataError, match="rows of 3 cells, but there are 2 columns: a, y"):
        later(tmp_path, "a,y\n1,2\n", "3,4,5\n6,7,8\n")
