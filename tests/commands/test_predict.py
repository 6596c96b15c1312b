"""`dlx predict`: tables, images and arrays in, classes or values out."""

import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import dlx
from dlx.errors import DataError, UsageError

TABLE = """
name: mixed
task: TASK
data: {source: {type: table, path: rows.csv, target: TARGET}}
model: {mlp: {hidden: [8]}}
train: {epochs: 2, batch_size: 16}
hardware: {accelerator: cpu, num_threads: 1}
"""
DIGITS = """
name: digits
task: classification
data: {source: {sklearn: digits}}
model: linear
train: {epochs: 2}
hardware: {accelerator: cpu, num_threads: 1}
"""


def table(n, seed):
    generator = np.random.default_rng(seed)
    size = generator.normal(size=n)
    frame = pd.DataFrame(
        {"size": size, "color": generator.choice(["red", "green", "blue"], n), "price": 100 + 3 * size}
    )
    frame["kind"] = np.where(size > 0, "big", "small")
    return frame


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    table(200, 0).to_csv(folder / "rows.csv", index=False)
    recipes = {
        "kinds": TABLE.replace("TASK", "classification").replace("TARGET", "kind"),
        "prices": TABLE.replace("TASK", "regression").replace("TARGET", "price"),
        "digits": DIGITS,
    }
    silent = Console(file=io.StringIO())
    runs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, text in recipes.items():
            (folder / f"{name}.yaml").write_text(text)
            runs[name] = dlx.train(folder / f"{name}.yaml", root=folder / "runs", console=silent).checkpoint
        yield folder, runs


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_gives_the_same(home, suffix):
    folder, runs = home
    frame = table(30, 1).drop(columns="kind")
    path = folder / f"new.{suffix}"
    write = {
        "csv": lambda: frame.to_csv(path, index=False),
        "tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        "jsonl": lambda: frame.to_json(path, orient="records", lines=True, double_precision=15),
        "parquet": lambda: frame.to_parquet(path, index=False),
    }
    write[suffix]()
    found = dlx.predict(runs["kinds"], path).frame()
    reference = folder / "reference.csv"
    frame[frame.columns[::-1]].to_csv(reference, index=False)
    pd.testing.assert_frame_equal(found, dlx.predict(runs["kinds"], reference).frame(), atol=1e-6)
    assert list(found) == ["row", "prediction", "p(big)", "p(small)"]
    np.testing.assert_allclose(found["p(big)"] + found["p(small)"], 1, atol=1e-5)
    assert ((found["p(big)"] > 0.5) == (found["prediction"] == "big")).all()


def test_predictions_are_those_that_evaluation_measures(home):
    folder, runs = home
    accuracy = dlx.evaluate(runs["kinds"], data=folder / "rows.csv").metrics["test/accuracy"]
    frame = pd.read_csv(folder / "rows.csv")
    found = dlx.predict(runs["kinds"], folder / "rows.csv").frame()
    assert (found["prediction"] == frame["kind"]).mean() == pytest.approx(accuracy)


def test_values_are_in_the_units_of_the_target(home):
    folder, runs = home
    found = dlx.predict(runs["prices"], folder / "rows.csv").frame()
    truth = pd.read_csv(folder / "rows.csv")["price"]
    mae = dlx.evaluate(runs["prices"], data=folder / "rows.csv").metrics["test/mae"]
    assert list(found) == ["row", "prediction"]
    assert (found["prediction"] - truth).abs().mean() == pytest.approx(mae, rel=1e-4)


def test_a_category_that_training_never_saw_is_missing_not_another(home):
    folder, runs = home
    lines = {"unseen": "0.1,ultraviolet,1", "missing": "0.1,?,1", "red": "0.1,red,1"}
    found = {}
    for name, line in lines.items():
        (folder / f"{name}.csv").write_text(f"size,color,price\n{line}\n")
        found[name] = dlx.predict(runs["kinds"], folder / f"{name}.csv").columns["p(big)"]
    assert found["unseen"] == found["missing"]
    assert found["unseen"] != found["red"]


def test_a_table_without_a_column_is_refused_by_its_name(home):
    folder, runs = home
    (folder / "odd.csv").write_text("sise,color,price\n1,red,1\n2,red,1\n")
    with pytest.raises(DataError, match=r"no column 'size'.*'sise'"):
        dlx.predict(runs["kinds"], folder / "odd.csv")


def test_a_wrong_cell_is_refused_with_its_line(home):
    folder, runs = home
    (folder / "odd.csv").write_text("size,color,price\n1,red,1\nlong,red,1\n3,red,1\n")
    with pytest.raises(DataError, match=r"odd\.csv:3"):
        dlx.predict(runs["kinds"], folder / "odd.csv")


def pictures(folder, mode="L", size=(8, 8)):
    from PIL import Image
    from sklearn.datasets import load_digits

    images = load_digits().images[:12].astype("uint8")
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).convert(mode).resize(size).save(folder / f"{i:02}.png")
    return images


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images_arrays_and_folders_give_the_same(home, tmp_path, mode):
    _, runs = home
    images = pictures(tmp_path / "images", mode)
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "x.npz", image=images[:, None].astype("float64"))
    from_folder = dlx.predict(runs["digits"], tmp_path / "images").frame()
    from_files = dlx.predict(runs["digits"], sorted((tmp_path / "images").iterdir())).frame()
    pd.testing.assert_frame_equal(from_folder, from_files)
    assert [p[-6:] for p in from_folder["file"]] == [f"{i:02}.png" for i in range(12)]
    for name in ("x.npy", "x.npz"):
        from_array = dlx.predict(runs["digits"], tmp_path / name).frame()
        pd.testing.assert_frame_equal(from_folder.drop(columns="file"), from_array.drop(columns="row"))
    assert len(set(from_folder["prediction"])) > 1


def test_images_of_another_size_are_refused(home, tmp_path):
    _, runs = home
    pictures(tmp_path / "images", size=(16, 8))
    with pytest.raises(DataError, match="8 × 16 pixels, but the model takes 8 × 8"):
        dlx.predict(runs["digits"], tmp_path / "images")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (np.zeros((3, 5, 5), "uint8"), "model takes"),
        (np.full((3, 8, 8), 0.5), "bytes"),
        (np.full((3, 8, 8), 300), "bytes"),
        (np.array(["a"]), "not numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(home, tmp_path, content, said):
    _, runs = home
    np.save(tmp_path / "x.npy", content)
    with pytest.raises(DataError, match=said):
        dlx.predict(runs["digits"], tmp_path / "x.npy")


def test_objects_in_an_array_are_not_unpickled(home, tmp_path):
    _, runs = home
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        dlx.predict(runs["digits"], tmp_path / "x.npy")


def test_inputs_of_another_kind_are_refused(home, tmp_path):
    folder, runs = home
    pictures(tmp_path / "images")
    with pytest.raises(DataError, match="not images"):
        dlx.predict(runs["kinds"], tmp_path / "images")
    with pytest.raises(DataError, match="not the columns of a table"):
        dlx.predict(runs["digits"], folder / "rows.csv")
    (tmp_path / "x.docx").write_text("words")
    with pytest.raises(UsageError, match=r"\.docx"):
        dlx.predict(runs["digits"], tmp_path / "x.docx")
    with pytest.raises(UsageError, match="absent"):
        dlx.predict(runs["digits"], tmp_path / "absent")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_the_command_writes_what_it_is_asked_for(home, tmp_path, suffix):
    folder, runs = home
    out = tmp_path / "new" / f"out.{suffix}"
    assert _run(folder, "predict", str(runs["kinds"]), "rows.csv", "-o", str(out)).stdout == ""
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda p: pd.read_json(p, lines=True)}
    expected = dlx.predict(runs["kinds"], folder / "rows.csv").frame()
    pd.testing.assert_frame_equal(read[suffix](out), expected, atol=1e-6, check_dtype=False)


def test_the_command_prints_csv_into_a_pipe_and_json_if_asked(home):
    folder, runs = home
    text = _run(folder, "predict", str(runs["prices"]), "rows.csv").stdout
    assert len(pd.read_csv(io.StringIO(text))) == 200
    assert len(json.loads(_run(folder, "predict", str(runs["prices"]), "rows.csv", "--json").stdout)) == 200


def test_an_output_of_another_kind_is_a_usage_error(home):
    folder, runs = home
    result = _run(folder, "predict", str(runs["prices"]), "rows.csv", "-o", "out.xlsx", status=2)
    assert "out.xlsx" in result.stderr


def _run(folder, *words, status=0):
    result = subprocess.run(
        [sys.executable, "-m", "dlx", *words], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == status, result.stderr
    return result


def test_a_split_of_the_run_is_predicted_beside_the_truth_and_kept_columns(home):
    folder, runs = home
    text = _run(folder, "predict", str(runs["prices"]), "--split", "test", "--keep", "color").stdout
    found = pd.read_csv(io.StringIO(text))
    rows = pd.read_csv(folder / "rows.csv")
    assert len(found) == 20 and "color" in found
    truth = next(name for name in found if name.startswith("truth"))
    matched = found.merge(rows, left_on=["color", truth], right_on=["color", "price"])
    assert len(matched) == 20


def test_a_column_to_keep_that_is_not_there_is_named(home):
    folder, runs = home
    assert "colour" in _run(folder, "predict", str(runs["prices"]), "rows.csv", "--keep", "colour", status=1).stderr
    assert "--split" in _run(folder, "predict", str(runs["prices"]), status=2).stderr
