"""`dlx init`: a recipe for data that nobody has described, which trains as it is."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator

from dlx.data.draft import draft
from dlx.data.inspect import inspect
from dlx.errors import DataError, UsageError
from dlx.recipe.load import load
from dlx.recipe.schema.field_types import to_yaml as yaml_of

RNG = np.random.default_rng(7)


def flowers(path: Path, rows: int = 90) -> Path:
    """Write a table like iris: an identifier, a gap, three classes that differ."""
    lines = ["plant_id,sepal length,petal: width,color,species"]
    for i in range(rows):
        kind = i % 3
        length = "" if i == 5 else f"{4 + kind + RNG.normal(0, 0.2):.2f}"
        lines.append(f"{i + 1},{length},{kind + RNG.normal(0, 0.2):.2f},{'red' if i % 2 else 'no'},kind {kind}")
    path.write_text("\n".join(lines) + "\n")
    return path


def houses(path: Path, rows: int = 80) -> Path:
    """Write a table for regression whose target is neither last nor numeric in every row."""
    lines = ["area\ty\tcity"]
    for i in range(rows):
        area = RNG.uniform(20, 200)
        lines.append(f"{area:.1f}\t{'' if i == 3 else f'{3 * area + RNG.normal():.2f}'}\t{'ab'[i % 2]}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_with_classes_becomes_a_recipe_that_trains(dlx, tmp_path):
    flowers(tmp_path / "flowers.csv")
    made = dlx("init", "flowers.csv", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    assert (found["task"], found["target"], found["rows"]) == ("classification", "species", 90)
    assert set(found["inputs"]) == {"sepal length", "petal: width", "color"} and set(found["ignored"]) == {"plant_id"}
    text = (tmp_path / "recipe.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    schema = json.loads((tmp_path / "recipe.schema.json").read_text())
    assert Draft202012Validator(schema).is_valid(yaml.safe_load(text))
    words = ("train", "recipe.yaml", "train.epochs=1", "--json")
    trained = dlx(*words, cwd=tmp_path, heavy=True)
    assert trained.returncode == 0, trained.stderr
    assert "test/accuracy" in json.loads(trained.stdout)["metrics"]


def test_a_table_with_an_amount_becomes_a_recipe_that_trains(dlx, tmp_path):
    (tmp_path / "data").mkdir()
    houses(tmp_path / "data" / "houses.tsv")
    made = dlx("init", "data/houses.tsv", "-o", "recipes/houses.yaml", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == "recipes/houses.yaml" and "regression of 'y'" in made.stderr
    assert "skipped" in made.stderr  # the row without a target
    trained = dlx("train", "recipes/houses.yaml", "train.epochs=1", "--json", cwd=tmp_path, heavy=True)
    assert trained.returncode == 0, trained.stderr
    assert "test/r2" in json.loads(trained.stdout)["metrics"]


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_a_bundled_data_set_becomes_a_recipe_that_plans(name, tmp_path):
    from dlx.plan import make

    found = inspect(name, tmp_path)
    (tmp_path / "recipe.yaml").write_text(draft(found, name, "recipe.schema.json"))
    plan = make(load(tmp_path / "recipe.yaml"))
    assert plan.facts.kind == ("regression" if found.task == "regression" else "classes")
    assert tuple(sorted(plan.facts.classes)) == tuple(sorted(found.classes))


def test_a_folder_of_images_becomes_a_recipe_that_plans(tmp_path):
    image = pytest.importorskip("PIL.Image")
    from dlx.plan import make

    for i in range(40):
        folder = tmp_path / "photos" / ("cat" if i % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        size = (40 + i % 3, 32)
        image.fromarray(RNG.integers(0, 255, size, dtype=np.uint8)).save(folder / f"{i}.png")
    found = inspect(str(tmp_path / "photos"), tmp_path)
    fields = found.source["image_folder"]
    assert fields == {"path": "photos", "size": [32, 32], "channels": 1}
    assert found.image == (1, 32, 32) and found.classes == {"dog": 20, "cat": 20}
    (tmp_path / "recipe.yaml").write_text(draft(found, "photos", "recipe.schema.json"))
    plan = make(load(tmp_path / "recipe.yaml"))
    assert plan.facts.classes == ("cat", "dog")


def test_whole_numbers_are_classes_only_where_few_stand_often(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("a,b,c\n" + "\n".join(f"{RNG.normal():.3f},{i % 4},{i}" for i in range(100)))
    assert inspect(str(path), tmp_path, "b").task == "classification"
    assert inspect(str(path), tmp_path, "c").task == "regression"
    assert inspect(str(path), tmp_path).target == "b"  # c numbers the rows


def test_a_guessed_target_is_not_a_column_of_messages(tmp_path):
    path = tmp_path / "mail.csv"
    path.write_text("v1,v2\nham,see you\nspam,win cash\nham,hello\nspam,free prize\n")
    found = inspect(str(path), tmp_path)
    assert found.target == "v1" and found.guessed
    assert not inspect(str(path), tmp_path, "v1").guessed


def test_nothing_is_overwritten_unless_asked(dlx, tmp_path):
    flowers(tmp_path / "flowers.csv")
    (tmp_path / "recipe.yaml").write_text("mine")
    refused = dlx("init", "flowers.csv", cwd=tmp_path)
    assert refused.returncode == 2 and "--force" in refused.stderr
    assert (tmp_path / "recipe.yaml").read_text() == "mine" and not (tmp_path / "recipe.schema.json").exists()
    assert dlx("init", "flowers.csv", "--force", cwd=tmp_path).returncode == 0
    assert "species" in (tmp_path / "recipe.yaml").read_text()


def test_what_cannot_be_meant_is_said(tmp_path):
    path = flowers(tmp_path / "flowers.csv")
    with pytest.raises(UsageError, match="species"):
        inspect(str(path), tmp_path, "specis")
    with pytest.raises(UsageError, match="iris"):
        inspect("irs", tmp_path)
    (tmp_path / "same.csv").write_text("a,b\n" + "1.5,x\n2.5,x\n" * 5)
    with pytest.raises(DataError, match="no column from which to predict 'a'"):
        inspect(str(tmp_path / "same.csv"), tmp_path)
    with pytest.raises(DataError, match="nothing to learn"):
        inspect(str(tmp_path / "same.csv"), tmp_path, "b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        inspect(str(tmp_path / "empty"), tmp_path)


@pytest.mark.parametrize(
    "value", ["a b", "no", "1e3", "010", "null", "a: b", "#x", "${x", 'qu"ote', "", "ä\n", "-", "[", "True"]
)
def test_odd_names_are_read_back_as_they_are(value, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(f"vars: {{a: {yaml_of(value)}}}\n", encoding="utf-8")
    from dlx.recipe.yaml.document import read

    assert read(path).root.plain()["vars"]["a"] == value


def opinions(path: Path, rows: int = 120) -> Path:
    """Write a table with a column of sentences beside a number and a category."""
    lines = ["said,stars,city,mood"]
    for i in range(rows):
        words = [*RNG.choice(["the", "film", "plot", "was", "a", "of"], 4), f"w{i}", ("good", "dull")[i % 2]]
        lines.append(f"{' '.join(words)},{RNG.integers(1, 100) / 10},{'ab'[i % 3 == 0]},{('praise', 'blame')[i % 2]}")
    path.write_text("\n".join(lines) + "\n")
    return path


def trained(dlx, folder, *changes):
    """Train the recipe that was written, and return its metrics."""
    done = dlx("train", "recipe.yaml", "--json", "hardware.num_threads=1", *changes, cwd=folder, heavy=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["metrics"]


def test_a_table_with_sentences_becomes_a_recipe_that_reads_them(dlx, tmp_path):
    opinions(tmp_path / "said.csv")
    made = dlx("init", "said.csv", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    assert found["texts"] == ["said"] and found["tables"] == ["categorical", "numeric"] and not found["ignored"]
    assert trained(dlx, tmp_path, "train.epochs=12")["test/accuracy"] >= 0.9


def test_sentences_alone_are_planned(tmp_path):
    from dlx.plan import make

    path = opinions(tmp_path / "said.csv")
    path.write_text("\n".join(line.split(",")[0] + "," + line.split(",")[3] for line in path.read_text().splitlines()))
    (tmp_path / "recipe.yaml").write_text(draft(inspect(str(path), tmp_path), "said", "recipe.schema.json"))
    assert make(load(tmp_path / "recipe.yaml")).facts.inputs == ("said",)


def test_a_text_becomes_a_recipe_that_continues_it(dlx, tmp_path):
    (tmp_path / "tale.txt").write_text("once upon a time, there was a mouse.\nand it ran; and it sat.\n" * 150)
    made = dlx("init", "tale.txt", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["task"] == "language_modeling"
    assert trained(dlx, tmp_path, "train.steps=20", "task.sample_tokens=5")["val/bits_per_character"] < 5


def test_two_texts_become_a_recipe_that_translates(dlx, tmp_path):
    pytest.importorskip("tokenizers")
    lines = [" ".join(RNG.choice(["one", "two", "three"], RNG.integers(1, 5))) for _ in range(80)]
    (tmp_path / "a.en").write_text("\n".join(lines))
    (tmp_path / "a.xx").write_text("\n".join(line.upper() for line in lines))
    made = dlx("init", "a.en", "a.xx", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["task"] == "seq2seq"
    assert "test/bleu" in trained(dlx, tmp_path, "train.epochs=1", "task.max_length=4")
    refused = dlx("init", "a.en", "a.yy", "--force", cwd=tmp_path)
    assert refused.returncode == 2 and "there is no file 'a.yy'" in refused.stderr
