"""Every error code is explained, and every explanation is true."""

import re
import shlex
from pathlib import Path

import pytest

import dlx
from dlx.errors import RecipeError, UsageError
from dlx.recipe.load import load
from dlx.reference.codes import codes, explain

MINIMAL = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: {type: layers, layers: [{linear: 8}]}\n"
EMITTED = {
    code
    for path in Path(dlx.__file__).parent.rglob("*.py")
    for code in re.findall(r"\"(DLX\d{3})\"", path.read_text(encoding="utf-8"))
}
WITH_EXAMPLE = [code for code, c in codes().items() if c.wrong]


def test_every_code_that_is_emitted_is_explained_and_no_other():
    assert set(codes()) == EMITTED


@pytest.mark.parametrize("code", sorted(codes()))
def test_an_explanation_says_what_and_why(code):
    text = explain(code.lower())
    assert text.startswith(f"{code}: {codes()[code].title}")
    assert codes()[code].why in text
    assert bool(codes()[code].wrong) == bool(codes()[code].right)


def test_an_unknown_code_is_a_usage_error():
    with pytest.raises(UsageError, match="did you mean DLX"):
        explain("DLX1O1")


def outcome(folder, fragment):
    """Load a minimal recipe changed by the fragment, and return the codes of its errors."""
    (folder / "base.yaml").write_text(MINIMAL)
    overrides = shlex.split(fragment)[4:] if fragment.startswith("$") else []
    text = "" if overrides else fragment
    if not text.startswith(("extends:", "-")):
        text = f"extends: base.yaml\n{text}"
    (folder / "recipe.yaml").write_text(text)
    try:
        load(folder / "recipe.yaml", overrides)
    except RecipeError as error:
        return {d.code for d in error.diagnostics}
    return set()


@pytest.mark.parametrize("code", [c for c in WITH_EXAMPLE if c < "DLX4"])
def test_the_wrong_example_has_this_error_and_the_right_one_none(tmp_path, code):
    assert outcome(tmp_path, codes()[code].wrong) == {code}
    assert outcome(tmp_path, codes()[code].right) == set()
