"""F17–F21: whatever is wrong with the text of a recipe is one diagnostic, at its place, in under a second."""

import time

import pytest

from dlx.errors import RecipeError
from dlx.recipe.load import load
from dlx.recipe.yaml.document import read

MINIMAL = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: {type: layers, layers: [{linear: 8}]}\n"


@pytest.fixture
def refused(tmp_path):
    """Load a recipe of these bytes and return the diagnostics, in bounded time of the processor."""

    def refused(data):
        path = tmp_path / "r.yaml"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        start = time.process_time()
        with pytest.raises(RecipeError) as error:
            load(path)
        assert time.process_time() - start < 1
        assert error.value.exit_code == 2
        return error.value.diagnostics

    return refused


def bomb(line, levels):
    """A text in which every level holds the level before it ten times."""
    return "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(line(i) for i in range(1, levels)) + "\n"


def test_f17_an_alias_bomb_is_defused(refused):
    text = bomb(lambda i: f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]", 9)
    assert [d.code for d in refused(text)] == ["DLX103"]


def test_f17_a_merge_key_bomb_is_defused(refused):
    lines = [f"m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}], k{i}: 1}}" for i in range(1, 25)]
    assert [d.code for d in refused("m0: &m0 {a: 1}\n" + "\n".join(lines))] == ["DLX108"]


def test_f17_many_small_aliases_are_refused(refused):
    text = "a: &a 1\nb: [" + ", ".join(["*a"] * 101) + "]"
    assert [d.code for d in refused(text)] == ["DLX109"]


def test_f17_a_value_that_holds_itself_is_refused(refused):
    assert [d.code for d in refused("vars: &v {a: *v}")] == ["DLX109"]


def test_f18_a_duplicate_key_shows_both_places(refused):
    (diagnostic,) = refused(f"train:\n  epochs: 1\n  batch_size: 3\n  epochs: 2\n{MINIMAL}")
    assert (diagnostic.code, diagnostic.line, diagnostic.column, diagnostic.length) == ("DLX105", 4, 3, 6)
    assert diagnostic.notes[0].endswith("r.yaml:2:3")


@pytest.mark.parametrize(("word", "value"), [("NO", "NO"), ("12:30", "12:30"), ("1e-3", 0.001)])
def test_f19_words_have_their_meaning_in_yaml_1_2(tmp_path, word, value):
    (tmp_path / "r.yaml").write_text(f"vars: {{a: {word}}}\n{MINIMAL}")
    assert load(tmp_path / "r.yaml").recipe.vars["a"] == value


@pytest.mark.parametrize("word", ["010", "1_000"])
def test_f19_ambiguous_words_are_refused(refused, word):
    (diagnostic,) = refused(f"vars: {{a: {word}}}\n{MINIMAL}")
    assert (diagnostic.code, diagnostic.line, diagnostic.column, diagnostic.length) == ("DLX106", 1, 11, len(word))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("[" * 5000, "DLX110"),
        ("[" * 5000 + "]" * 5000, "DLX110"),
        ("".join(" " * i + "a:\n" for i in range(1000)), "DLX110"),
        ("a: " + "{a: " * 5000, "DLX110"),
        ("- " * 5000, "DLX110"),
        (b"a: b\0c\n", "DLX102"),
        (b"\0" * 1000, "DLX102"),
        ("train:\n\tepochs: 3\n", "DLX104"),
        ("seed: 1\n---\nseed: 2\n", "DLX111"),
        ("", "DLX112"),
        ("# only words\n", "DLX112"),
        ("---\n", "DLX112"),
        ("- a\n- b\n", "DLX112"),
        ("classification", "DLX112"),
        (b"name: \xff\xfe\n", "DLX102"),
        (b"\xff\xfea\0:\0", "DLX102"),
        (b"name: caf\xe9\n", "DLX102"),
        (b"x" * 100_000_000, "DLX103"),
        (b"a: [" + b"x, " * 170_000 + b"]", "DLX103"),
        (b"a: [" + b"[]," * 170_000 + b"]", "DLX103"),
        (b"\n" * 520_000, "DLX112"),
        (b"a: '" + b"\\" * 500_000, "DLX104"),
        (b"!" * 500_000, "DLX107"),
        (b"*" * 500_000, "DLX104"),
        (b"a" * 500_000 + b": 1", "DLX104"),
        (b"a: " + b"9" * 500_000, "DLX106"),
        (b"a: " + b"1_000" * 100_000, None),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, (bytes, str)) else None,
)
def test_f20_hostile_text_is_one_diagnostic(refused, data, code):
    found = refused(data)
    if code is not None:
        assert [d.code for d in found if d.code.startswith("DLX1")] == [code]


def test_f20_a_directory_is_one_diagnostic(tmp_path):
    with pytest.raises(RecipeError) as error:
        read(tmp_path)
    assert [d.code for d in error.value.diagnostics] == ["DLX101"]
    assert "folder" in error.value.diagnostics[0].message


def test_f20_an_endless_file_is_not_read_to_its_end():
    with pytest.raises(RecipeError) as error:
        read("/dev/zero")
    assert [d.code for d in error.value.diagnostics] == ["DLX103"]


def test_f21_all_errors_of_a_recipe_are_told_at_once(refused):
    found = refused(
        "task: classification\n"
        "data: {source: {sklearn: iris}, inputs: x}\n"
        "model: {type: layers, layers: [{linaer: 8}, {linear: -8}]}\n"
        "optimizer: {adamw: {lr: .inf}}\n"
        "train: {epochs: true, batchsize: 4}\n"
    )
    told = [(d.line, d.code, d.suggestion) for d in found]
    assert told == [
        (2, "DLX304", "write [x]"),
        (3, "DLX302", "did you mean 'linear'?"),
        (3, "DLX305", ""),
        (4, "DLX307", ""),
        (5, "DLX304", ""),
        (5, "DLX301", "did you mean 'batch_size'?"),
    ]
