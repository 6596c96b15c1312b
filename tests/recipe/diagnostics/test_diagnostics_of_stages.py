"""What is wrong with the stages of a recipe is told at once, each thing with its path."""

import pytest
from kit import MINIMAL

from dlx.errors import RecipeError
from dlx.recipe.load import load

EVERYTHING = """\
seed: 010
train: {epochs: 2, epochs: 3}
vars: {width: 4}
model:
  type: layers
  blocks:
    unit: {parameters: {width: 4}, layers: [{linear: "${widht}"}]}
    broken: 3
  layers: [{unit: {depth: 2}}, broken, {linear: "${vars.wdth}"}, rleu]
data: {batch_size: 3}
name: "run of ${env:DLX_ABSENT}"
"""


def test_errors_of_every_stage_are_told_at_once_each_with_its_path(refused, monkeypatch):
    monkeypatch.delenv("DLX_ABSENT", raising=False)
    found = refused(EVERYTHING, "train.batch_size=[", "optimizer.lr=-1", "train.epochs.few=2")
    assert {(d.code, d.path) for d in found} == {
        ("DLX106", "seed"),
        ("DLX105", "train.epochs"),
        ("DLX209", "model.blocks.unit.layers.0.linear"),
        ("DLX211", "model.blocks.broken"),
        ("DLX209", "model.layers.0.unit.depth"),
        ("DLX203", "model.layers.2.linear"),
        ("DLX302", "model.layers.3"),
        ("DLX301", "data.batch_size"),
        ("DLX206", "name"),
        ("DLX104", "train.batch_size"),
        ("DLX305", "optimizer.lr"),
        ("DLX208", "train.epochs.few"),
    }


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("train:\n  epochs: [1, 2\n", "DLX104", "train.epochs.2"),
        ("model:\n  layers:\n    - relu\n    - {linear: *x}\n", "DLX109", "model.layers.1.linear"),
        ("vars: {<<: {a: 1}}\n", "DLX108", "vars.<<"),
        ("vars: {a: {[1]: 2}}\n", "DLX113", "vars.a"),
        ("extends: [base.yaml, absent.yaml]\n", "DLX101", "extends.1"),
        ("extends: {a: 1}\n", "DLX202", "extends"),
        ("extends: r.yaml\n", "DLX201", "extends"),
    ],
)
def test_what_ends_the_reading_has_a_path_too(tmp_path, text, code, path):
    (tmp_path / "base.yaml").write_text(MINIMAL)
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError) as error:
        load(tmp_path / "r.yaml")
    assert [(d.code, d.path) for d in error.value.diagnostics] == [(code, path)]


def test_every_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "base.yaml").write_text("seed: [1\n")
    (tmp_path / "r.yaml").write_text("extends: [base.yaml, absent.yaml]\nseed: 010\n")
    with pytest.raises(RecipeError) as error:
        load(tmp_path / "r.yaml")
    assert sorted(d.code for d in error.value.diagnostics) == ["DLX101", "DLX104", "DLX106"]
