"""Data sets of the `datasets` library."""

import json

import numpy as np
import pandas as pd
import pytest
from kit import load_source
from PIL import Image

from dlx.errors import DataError
from dlx.plan import make as make_plan
from dlx.recipe.load import load as load_recipe


def test_hf_reads_what_datasets_saved(tmp_path, caplog):
    datasets = pytest.importorskip("datasets")
    features = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=["no", "yes"]),
        "x": datasets.Value("float32"),
        "word": datasets.Value("string"),
        "v": datasets.Sequence(datasets.Value("float32")),
        "ragged": datasets.Sequence(datasets.Value("float32")),
    }
    rows = {
        "image": [Image.new("RGB", (3, 2), (i, 0, 0)) for i in range(3)],
        "label": [0, 1, 1],
        "x": [1.0, None, 3.0],
        "word": ["a", None, "c"],
        "v": [[1.0, 2.0]] * 3,
        "ragged": [[1.0], [], [1.0, 2.0]],
    }
    data = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    datasets.DatasetDict(train=data, validation=data.select([2])).save_to_disk(str(tmp_path / "d"))
    samples = load_source({"hf": "d"}, tmp_path)
    assert samples.target == "label" and samples.inputs == ("image", "x", "word", "v")
    assert samples.columns["image"].values[:, 0, 0, 0].tolist() == [0, 1, 2, 2]
    assert samples.columns["label"].classes == ("no", "yes")
    assert np.array_equal(samples.columns["x"].values, [1, np.nan, 3, 3], equal_nan=True)
    assert list(samples.columns["word"].values) == ["a", None, "c", "c"]
    assert list(samples.splits) == ["train"] * 3 + ["val"]
    assert "'ragged' is left out" in caplog.text


def test_hf_labels_that_are_missing(tmp_path):
    datasets = pytest.importorskip("datasets")
    label = datasets.ClassLabel(names=["no", "yes"])
    data = datasets.Dataset.from_dict(
        {"a": [1, -1, 0], "b": [0, 1, -1]}, features=datasets.Features({"a": label, "b": label})
    )
    data.save_to_disk(str(tmp_path / "d"))
    assert list(load_source({"hf": "d"}, tmp_path).columns["a"].values) == ["yes", None, "no"]
    with pytest.raises(DataError, match="row 3: field 'b': the target is missing"):
        load_source({"hf": {"name": "d", "target": "b"}}, tmp_path)


def test_hf_reads_a_folder_of_files(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "p").mkdir()
    pd.DataFrame({"a": [1, 2], "b": ["x", None]}).to_parquet(tmp_path / "p" / "train.parquet")
    with pytest.raises(DataError, match="row 2: field 'b': the target is missing"):
        load_source({"hf": {"name": "p", "target": "b"}}, tmp_path)
    assert load_source({"hf": {"name": "p", "target": "b"}}, tmp_path, "skip").columns["a"].values.tolist() == [1]


def test_hf_strings_are_text_where_types_say_so(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "p").mkdir()
    rows = [("a good film", "u1", 1), ("dull", "u2", 0), ("good good", "u3", 1), ("a dull film", "u4", 0)] * 5
    lines = [json.dumps({"said": said, "who": who, "mood": ("bad", "well")[mood]}) for said, who, mood in rows]
    (tmp_path / "p" / "train.jsonl").write_text("\n".join(lines))
    found = load_source({"hf": {"name": "p", "target": "mood", "types": {"said": "text", "who": "ignore"}}}, tmp_path)
    assert {name: column.kind for name, column in found.columns.items()} == {"said": "text", "mood": "categorical"}
    assert found.inputs == ("said",) and list(found.columns["said"].values[:2]) == ["a good film", "dull"]
    (tmp_path / "r.yaml").write_text(
        "task: classification\ndata: {source: {hf: {name: p, target: mood, types: {said: text, who: ignore}}}}\n"
        "model: {gru: {embedding_dim: 4, hidden: 4}}\n"
    )
    plan = make_plan(load_recipe(tmp_path / "r.yaml"))
    assert plan.facts.fields["said"].vocab == (4 + 4,) and plan.facts.classes == ("bad", "well")
    with pytest.raises(DataError, match="no field 'sad'; it has said, who, mood"):
        load_source({"hf": {"name": "p", "types": {"sad": "text"}}}, tmp_path)
