"""YAML text to marked nodes: what words mean, where values stand, what is refused."""

import math

import pytest
import yaml

from dlx.errors import RecipeError
from dlx.recipe.yaml.document import parse, read


def values(text):
    return parse(text, "r.yaml").plain()


def refused(text):
    with pytest.raises(RecipeError) as error:
        parse(text, "r.yaml")
    return error.value.diagnostics


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001), ("1E5", 100000.0), ("1.", 1.0), (".5", 0.5), ("-.5e1", -5.0), ("+3", 3), ("0", 0),
        ("0x1F", 31), ("0o17", 15), ("010.5", 10.5), ("~", None), ("", None), ("Null", None), ("TRUE", True),
        ("false", False),
        ("no", "no"), ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("12:30", "12:30"), ("1:2:3", "1:2:3"), ("2024-01-01", "2024-01-01"), ("0b101", "0b101"),
        ("2024_01", "2024_01"),
        ("inf", "inf"), ("nan", "nan"), (".inf", math.inf), ("-.INF", -math.inf), ("tRue", "tRue"), ("nULL", "nULL"),
        ("'010'", "010"), ('"1_000"', "1_000"), ("'null'", "null"), ("'1'", "1"), ("1.2.3", "1.2.3"), ("-", [None]),
        ("1e", "1e"), ("e5", "e5"), (".", "."), ("0x", "0x"), ("9223372036854775807", 2**63 - 1), ("=", "="),
    ],
)  # fmt: skip
def test_a_word_has_the_meaning_of_the_core_schema_of_yaml_1_2(written, meant):
    found = values(f"a:\n  {written}\n")["a"]
    assert found == meant
    assert type(found) is type(meant)


def test_not_a_number_is_read():
    assert math.isnan(values("a: .nan")["a"])


@pytest.mark.parametrize(
    "written",
    [
        "010",
        "-007",
        "00",
        "01e2",
        "1_000",
        "-12_345_678",
        "1_000.5",
        "1e400",
        "1e-999",
        "9" * 20,
        "9" * 5000,
        "0x" + "f" * 17,
    ],
)
def test_a_number_that_readers_understand_differently_is_refused(written):
    (diagnostic,) = refused(f"a: {written}")
    assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("DLX106", 1, 4)
    assert diagnostic.suggestion.startswith("write ")


def test_every_node_knows_its_place():
    root = parse('a: 1\nbéta:\n  - x\n  - {long: "two words", l: [3]}\n', "r.yaml").root
    long = root.find(("béta", 1, "long"))
    assert (long.value, long.file, long.line, long.column, long.end_column) == ("two words", "r.yaml", 4, 12, 23)
    assert (root.keys["béta"].line, root.keys["béta"].column, root.keys["béta"].end_column) == (2, 1, 5)
    assert root.find(("béta", 1)).keys["l"].column == 25
    assert root.find(("béta", 7)) is None
    assert root.find(("a", "b")) is None


def test_an_alias_is_a_copy_of_what_it_stands_for():
    root = parse("a: &x {b: [1]}\nc: *x\n", "r.yaml").root
    assert root.plain() == {"a": {"b": [1]}, "c": {"b": [1]}}
    root.find(("c", "b")).value.clear()
    assert root.plain()["a"] == {"b": [1]}


def test_all_that_is_readable_is_read_before_the_errors_are_told():
    codes = [d.code for d in refused("a: 1\na: 2\nb: 010\nc: !!int 3\n~: 3\n<<: {d: 1}\nd: 010")]
    assert codes == ["DLX105", "DLX106", "DLX107", "DLX113", "DLX108"]


def test_keys_are_text_as_written():
    assert values("{1: a, no: b, 'x y': c, true: d, 01: e}") == {
        "1": "a",
        "no": "b",
        "x y": "c",
        "true": "d",
        "01": "e",
    }
    assert refused("{1: a, '1': b}")[0].code == "DLX105"


def test_a_quoted_merge_key_is_a_name():
    assert values('"<<": 1') == {"<<": 1}


@pytest.mark.parametrize("name", ["n.yaml", "a\0b", "x" * 5000])
def test_a_file_that_cannot_be_opened_is_one_diagnostic(tmp_path, name):
    with pytest.raises(RecipeError) as error:
        read(tmp_path / name)
    assert [d.code for d in error.value.diagnostics] == ["DLX101"]


def test_a_missing_file_is_taken_for_a_similar_one(tmp_path):
    (tmp_path / "lenet.yaml").write_text("a: 1")
    with pytest.raises(RecipeError, match=r"did you mean .*lenet\.yaml"):
        read(tmp_path / "lenett.yaml")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / "r.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(tmp_path / "r.yaml").root.keys["a"].column == 1


def test_both_parsers_of_pyyaml_give_the_same_nodes(monkeypatch):
    text = (
        'a: [1, {b: "x", c: |\n  two\n  lines\n}]\n'
        if False
        else 'a: [1, {b: "x"}]\nc: |\n  two\n  lines\nd: &k [e]\nf: *k\n'
    )
    fast = parse(text, "r.yaml")
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    slow = parse(text, "r.yaml")
    assert fast.plain() == slow.plain()
    assert fast.root.find(("a", 1, "b")).column == slow.root.find(("a", 1, "b")).column
    assert refused('a: "\\ud800"')[0].code == "DLX102"


@pytest.mark.parametrize(
    ("text", "line", "column"), [("a: [1,2", 1, 8), ("a: {b: 1\n\n\n", 1, 9), ("\n\na: 'x\n", 3, 6), ("a: b: c", 1, 5)]
)
def test_a_syntax_error_points_at_text(text, line, column):
    (diagnostic,) = refused(text)
    assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("DLX104", line, column)


def test_a_syntax_error_gives_advice():
    assert "quotes" in refused("{a: ${vars.b}}")[0].suggestion
    assert "quotes" in refused("a: @x")[0].suggestion
    assert "tabs" in refused("a:\n\t- b")[0].suggestion


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1\nb: 2\n", "needs a comma or a `]`"),
        ("a: {b: 1\nc: 2\n", "needs a comma or a `}`"),
        ('a: "b\n', "quotes are not closed"),
        ("a: 1\n  b: 2\n", "a `:` is not expected here"),
        ("a:\n  b: 1\n c: 2\n", "nor indented like those before it"),
        ("a:\n  - b\n  c: 2\n", "no item of the list above"),
        ("a: {b: ,}\nc: [\n", ""),
    ],
)
def test_the_parser_speaks_in_words_that_need_no_grammar(text, words):
    with pytest.raises(RecipeError) as error:
        parse(text, "r.yaml")
    (found,) = error.value.diagnostics
    assert found.code == "DLX104" and words in found.message
    assert "did not find" not in found.message and "token" not in found.message
