"""Whatever the bytes, the answer is a recipe or diagnostics, within a second."""

import copy
import io
import os
import time

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlx.diagnostic import as_json
from dlx.errors import RecipeError
from dlx.recipe.diagnostics.frames import render
from dlx.recipe.load import load
from dlx.recipe.yaml.document import parse, read

GOOD = """\
version: 1
name: good
seed: 3
vars: {width: 8, list: [1, 2], token: "${env:HOME,none}"}
task: classification
data:
  source: {sklearn: iris}
  split: {val: 0.1, test: 0.2}
model:
  type: layers
  blocks:
    unit: {parameters: {width: 4}, layers: [{linear: "${width}"}, relu]}
  layers:
    - stem: {linear: {features: "${vars.width}"}}
    - unit
    - unit: {width: 16}
    - [{linear: 3}, relu]
optimizer: {adamw: {lr: 1e-3, betas: [0.9, 0.99]}}
train: {epochs: 3, batch_size: 16}
expect: {test/accuracy: ">= 0.5"}
"""
PIECES = [
    "${", "}", "${vars.width}", "${vars}", "${env:", "&a ", "*a", "<<: ", "!!python/name:os ", "---\n", "...\n", "\t",
    "\0", "{", "[", "]", ": ", "- ", "? ", "|\n", ">", "'", '"', "#", "\\", "010", "1_000", ".inf", "null", "\n", "  ",
    "é", "\u2028",
    "\ufeff", "%YAML 1.1\n", "unit", "type: ", "extends: hostile.yaml\n", "blocks: ", "layers: ",
]  # fmt: skip
EXAMPLES = int(os.environ.get("DLX_EXAMPLES", "150"))
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def answer(function, *arguments):
    """Call and demand an answer in a second: a value, or diagnostics that can be printed.

    Modules that are imported for the first time do not count: one that takes longer is asked again.
    """
    if took(function, *arguments) >= 1:
        assert took(function, *arguments) < 1
    return answered(function, *arguments)


def took(function, *arguments):
    start = time.process_time()
    answered(function, *arguments)
    return time.process_time() - start


def answered(function, *arguments):
    try:
        return function(*arguments)
    except RecipeError as error:
        assert error.diagnostics
        assert all(d.code.startswith("DLX") for d in error.diagnostics)
        as_json(error.diagnostics)
        render(error.diagnostics, io.StringIO())
        return None


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "hostile.yaml"
    path.write_text(GOOD.replace("adamw", "nonesuch"))
    with pytest.raises(RecipeError):  # imports every family once, which is not what is timed
        load(path)
    return path


@MANY
@given(data=st.binary(max_size=400))
def test_any_bytes(path, data):
    path.write_bytes(data)
    answer(read, path)


@MANY
@given(text=st.text(max_size=400))
def test_any_text(text):
    answer(parse, text, "r.yaml")


@MANY
@given(text=st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=60).map("".join))
def test_any_pieces_of_yaml(path, text):
    answer(parse, text, "r.yaml")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    answer(load, path)


@MANY
@given(data=st.data())
def test_any_edit_of_a_good_recipe(path, data):
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=4)) + text[end:]
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    answer(load, path)


def places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


PLAIN = yaml.safe_load(GOOD)
NAMES = st.text(max_size=6) | st.just("type")
PATHS = st.sampled_from([".".join(map(str, p)) for p in places(PLAIN)])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(PIECES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@MANY
@given(place=st.sampled_from([p for p in places(PLAIN) if p]), value=ANYTHING, rename=st.none() | st.text(max_size=8))
def test_any_value_anywhere_in_a_good_recipe(path, place, value, rename):
    changed = copy.deepcopy(PLAIN)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    if isinstance(parent, dict) and rename is not None:
        parent[rename] = parent.pop(place[-1])
    path.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    answer(load, path)


@MANY
@given(override=st.text(max_size=30) | st.tuples(PATHS, st.text(max_size=12) | st.sampled_from(PIECES)).map("=".join))
def test_any_override(path, override):
    path.write_text(GOOD)
    answer(load, path, [override])


@MANY
@given(place=st.sampled_from([p for p in places(PLAIN) if p]), value=ANYTHING)
def test_any_value_merged_into_a_good_recipe(path, place, value):
    changed = value
    for key in reversed(place):
        changed = {str(key): changed}
    path.with_name("base.yaml").write_text(GOOD)
    text = yaml.safe_dump({**changed, "extends": "base.yaml"}, allow_unicode=True)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    answer(load, path)


def test_the_good_recipe_is_good(path):
    path.write_text(GOOD)
    assert load(path).recipe.train.epochs == 3
