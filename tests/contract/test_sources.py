"""Every source: its documentation is true, its columns agree, and what it reads is what independent readers read."""

import gzip
import json
import math
import os
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from dlx.component import leaf_class, types
from dlx.errors import DataError
from dlx.plan import make as make_plan
from dlx.recipe.load import load as load_recipe
from dlx.sources import Source

TYPES = types("sources")
REAL = Path(os.environ.get("DLX_DATA", Path(__file__).parents[2] / "../shared/data"))


def example(name):
    return yaml.safe_load(leaf_class("sources", name).__doc__.partition("Example:")[2])


def made(name):
    return Source.model_validate(example(name))


def load(spec, base=Path(), on_error="raise"):
    return Source.model_validate(spec).load(Path(base), on_error)


def needs_no_file(name):
    return not {"path", "name"} & set(type(made(name)).model_fields) and not made(name).files(Path())


def real(folder):
    if not (REAL / folder).is_dir():
        pytest.skip(f"needs real data: set DLX_DATA to a folder that holds {folder}/")
    return REAL


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    assert made(name).type == name
    assert Source.model_validate(made(name).model_dump(mode="json", serialize_as_any=True)) == made(name)


@pytest.mark.parametrize("name", [name for name in TYPES if needs_no_file(name)])
def test_source_without_files_loads_alike_twice(name):
    first, second = made(name).load(Path()), made(name).load(Path())
    assert len({len(column) for column in first.columns.values()}) == 1
    assert set(first.inputs) | {first.target} == set(first.columns)
    for field, column in first.columns.items():
        assert np.array_equal(column.values, second.columns[field].values)
        assert column.values.ndim == 1 + len(column.axes)
        if column.classes:
            assert set(np.unique(column.values)) == set(range(len(column.classes)))


@pytest.mark.parametrize(
    "name", [n for n in TYPES if needs_no_file(n) and "seed" in leaf_class("sources", n).model_fields]
)
def test_another_seed_gives_other_samples(name):
    fields = (
        {**made(name).model_dump(), "noise": 0.1}
        if "noise" in type(made(name)).model_fields
        else made(name).model_dump()
    )
    one, other = (load({**fields, "seed": seed}) for seed in (1, 2))
    assert any(not np.array_equal(one.columns[f].values, other.columns[f].values) for f in one.inputs)


@pytest.mark.parametrize("dataset", ["iris", "wine", "breast_cancer"])
def test_sklearn_tables_are_what_sklearn_reports(dataset):
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{dataset}")()
    samples = load({"sklearn": dataset})
    assert samples.inputs == tuple(bunch.feature_names)
    assert np.array_equal(np.stack([samples.columns[name].values for name in samples.inputs], 1), bunch.data)
    named = [samples.columns["target"].classes[code] for code in samples.columns["target"].values]
    assert named == list(bunch.target_names[bunch.target])


def test_sklearn_digits_are_images_and_diabetes_is_unscaled():
    from sklearn import datasets

    digits = load({"sklearn": "digits"}).columns["image"]
    assert (digits.values.shape, digits.values.dtype, digits.kind) == ((1797, 1, 8, 8), np.uint8, "image")
    assert np.array_equal(digits.values.reshape(1797, 64), datasets.load_digits().data)
    ages = load({"sklearn": "diabetes"}).columns["age"].values
    assert ages.min() == 19 and ages.max() == 79


@pytest.mark.parametrize(
    ("gate", "outputs"),
    [("and", "0001"), ("or", "0111"), ("xor", "0110"), ("nand", "1110"), ("nor", "1000"), ("xnor", "1001")],
)
def test_gates_hold_their_truth_table(gate, outputs):
    samples = load({"type": "gates", "gate": gate, "repeat": 3})
    rows = zip(*(samples.columns[name].values for name in samples.inputs), strict=True)
    truth = dict(zip([(0, 0), (0, 1), (1, 0), (1, 1)], outputs, strict=True))
    labels = [samples.columns["target"].classes[code] for code in samples.columns["target"].values]
    assert [truth[row] for row in rows] == labels and len(labels) == 12


def test_noise_has_every_byte_and_every_class_alike_and_in_no_order():
    samples = load({"random_images": {"n_samples": 200, "image_size": 32, "channels": 1, "n_classes": 10}})
    images, labels = samples.columns["image"].values, samples.columns["target"].values
    assert images.shape == (200, 1, 32, 32) and images.dtype == np.uint8
    assert abs(np.bincount(images.ravel(), minlength=256) / images.size * 256 - 1).max() < 0.2
    assert np.bincount(labels).tolist() == [20] * 10
    assert (np.diff(labels) == 1).mean() < 0.3


def test_spirals_lie_on_their_arms_and_sine_on_its_wave():
    arms = load({"type": "spirals", "n_classes": 3, "turns": 1.0, "noise": 0.0}).columns
    x, y, k = (arms[name].values for name in ("x1", "x2", "target"))
    turned = (np.arctan2(y, x) / (2 * math.pi) - np.hypot(x, y) - k / 3) % 1
    assert np.allclose(np.minimum(turned, 1 - turned), 0, atol=1e-9)
    wave = load({"type": "sine", "frequency": 2.0, "noise": 0.0}).columns
    assert np.allclose(wave["y"].values, np.sin(4 * math.pi * wave["x"].values))


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
    samples = load({"table": "t.csv"}, table)
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
    same(load({"table": path.name}, table), frame)


def test_table_types_targets_and_parts(table):
    (table / "test.csv").write_text("wage,age,job\n7,20,smith\n")
    spec = {"table": {"path": "t.csv", "test_path": "test.csv", "target": "wage", "types": {"age": "categorical"}}}
    samples = load(spec, table)
    assert list(samples.splits) == ["train"] * 3 + ["test"]
    assert list(samples.columns["age"].values) == ["39", None, "50", "20"]
    assert samples.inputs == ("age", "job") and samples.target == "wage"
    assert list(samples.columns["wage"].values) == [10.5, 1000, -3, 7]


def test_renamed_columns_find_their_places_in_a_later_file(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n")
    (tmp_path / "u.csv").write_text("b,a\ny,2\n")
    samples = load({"table": {"path": "t.csv", "test_path": "u.csv", "columns": ["size", "name"]}}, tmp_path)
    assert samples.columns["size"].values.tolist() == [1, 2]
    assert samples.columns["name"].values.tolist() == ["x", "y"]


def test_several_targets_are_a_vector(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,2,x,0\n3,4,y,0\n")
    samples = load({"table": {"path": "t.csv", "target": ["b", "a"], "types": {"d": "ignore"}}}, tmp_path)
    assert samples.columns["target"].values.tolist() == [[2, 1], [4, 3]]
    assert samples.columns["target"].names == ("b", "a") and samples.inputs == ("c",)


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
    assert list(load({"table": "t.csv"}, tmp_path).columns) == names


def test_a_warning_says_that_a_header_of_text_is_a_guess(tmp_path):
    (tmp_path / "t.csv").write_text("color,sky\nred,green\n")
    (warning,) = load({"table": "t.csv"}, tmp_path).warnings
    assert "header: true" in warning
    assert load({"table": {"path": "t.csv", "header": True}}, tmp_path).warnings == []


def test_table_names_the_column_that_was_meant(table):
    with pytest.raises(DataError, match="no column 'wages'; did you mean 'wage'"):
        load({"table": {"path": "t.csv", "target": "wages"}}, table)


def test_real_tables(caplog):
    base = real("tabular")
    adult = load(
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
    assert len(load({"table": reviews}, real("sst2")).splits) == 6920 + 872 + 1821
    assert not caplog.records


def picture(path, shade=0, size=(6, 4), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, shade if mode == "L" else (shade,) * len(mode)).save(path)


@pytest.fixture
def folder(tmp_path):
    for part in ("train", "test"):
        for shade, label in ((10, "cat"), (200, "dog")):
            picture(tmp_path / "photos" / part / label / "1.png", shade)
    return tmp_path


def test_image_folder(folder):
    samples = load({"image_folder": "photos"}, folder)
    assert samples.columns["image"].values.shape == (4, 3, 4, 6)
    assert samples.columns["target"].classes == ("cat", "dog")
    shades = {0: 10, 1: 200}
    assert samples.columns["image"].values[:, 0, 0, 0].tolist() == [shades[c] for c in samples.columns["target"].values]
    assert sorted(samples.splits) == ["test", "test", "train", "train"]
    small = load({"image_folder": {"path": "photos", "size": [2, 3], "channels": 1}}, folder)
    assert small.columns["image"].values.shape == (4, 1, 2, 3)


def test_lazy_images_equal_those_in_memory(folder):
    kept = load({"image_folder": {"path": "photos"}}, folder).columns["image"].values
    lazy = load({"image_folder": {"path": "photos", "memory": 0.0}}, folder).columns["image"].values
    assert lazy.shape == kept.shape[1:] and lazy.dtype == kept.dtype.name
    assert np.array_equal(np.stack([lazy[i] for i in range(len(lazy))]), kept)


def test_photographs_stand_upright(tmp_path):
    path = tmp_path / "p" / "a" / "1.jpg"
    picture(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(path, exif=exif)
    assert load({"image_folder": "p"}, tmp_path).columns["image"].values.shape == (1, 3, 6, 4)


def test_images_of_several_sizes_need_a_size(folder):
    picture(folder / "photos/train/cat/2.png", size=(8, 8))
    with pytest.raises(DataError, match="images of 2 sizes"):
        load({"image_folder": "photos"}, folder)


def test_image_folder_reads_an_archive(folder, monkeypatch):
    import shutil

    shutil.make_archive(str(folder / "photos"), "zip", folder, "photos")
    monkeypatch.setenv("DLX_DATA", str(folder / "data"))
    zipped = load({"image_folder": "photos.zip"}, folder)
    assert np.array_equal(
        zipped.columns["image"].values, load({"image_folder": "photos"}, folder).columns["image"].values
    )


def idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype("uint8").tobytes()))


def write_mnist(folder, labels=(3, 9, 0)):
    pixels = np.arange(len(labels) * 784).reshape(-1, 28, 28) % 251
    for part in ("train", "t10k"):
        idx(folder / f"{part}-images-idx3-ubyte.gz", pixels)
        idx(folder / f"{part}-labels-idx1-ubyte.gz", np.array(labels))
    return pixels


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_as_written(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    pixels = write_mnist(tmp_path / name)
    samples = load(name)
    assert np.array_equal(samples.columns["image"].values[:3, 0], pixels)
    assert samples.columns["target"].values.tolist() == [3, 9, 0] * 2
    assert list(samples.splits) == ["train"] * 3 + ["test"] * 3


def test_real_mnist(monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(real("mnist")))
    samples = load("mnist")
    pixels, labels = samples.columns["image"].values, samples.columns["target"].values
    assert pixels.shape == (70000, 1, 28, 28)
    assert labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3] and labels[60000:60004].tolist() == [7, 2, 1, 0]
    assert pixels[:60000].mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert pixels[:60000].std() / 255 == pytest.approx(0.3081, abs=1e-4)


def test_cifar10_binary_records(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    inner = tmp_path / "cifar10" / "cifar-10-batches-bin"
    inner.mkdir(parents=True)
    planes = np.arange(3072) % 256
    for file in made("cifar10").files(Path()):
        file.write_bytes(bytes([7]) + planes.astype("uint8").tobytes())
    samples = load("cifar10")
    assert samples.columns["image"].values.shape == (6, 3, 32, 32)
    assert np.array_equal(samples.columns["image"].values[0].ravel(), planes)
    assert {samples.columns["target"].classes[c] for c in samples.columns["target"].values} == {"horse"}
    assert list(samples.splits) == ["train"] * 5 + ["test"]


@pytest.mark.parametrize(
    ("shape", "dtype", "expected", "axes"),
    [
        ((5,), "float64", (5,), ""),
        ((5, 3), "float64", (5, 3), "F"),
        ((5, 7, 3), "float32", (5, 7, 3), "TF"),
        ((5, 8, 9), "uint8", (5, 1, 8, 9), "CHW"),
        ((5, 8, 9, 3), "uint8", (5, 3, 8, 9), "CHW"),
        ((5, 3, 8, 9), "uint8", (5, 3, 8, 9), "CHW"),
    ],
)
def test_npz_axes(tmp_path, shape, dtype, expected, axes):
    x = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(5) % 2, t=x[:2], u=np.array([1, 0]))
    samples = load({"npz": {"path": "d.npz", "x_test": "t", "y_test": "u", "classes": ["no", "yes"]}}, tmp_path)
    column = samples.columns["x"]
    assert column.values.shape == (7, *expected[1:]) and column.axes == axes
    assert sorted(column.values[:5].ravel()) == sorted(x.ravel())
    assert list(samples.splits) == ["train"] * 5 + ["test"] * 2
    assert samples.columns["y"].values.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_npz_refuses_python_objects(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.array([{}], dtype=object), y=np.array([1]))
    with pytest.raises(DataError, match="allow_pickle"):
        load({"npz": "d.npz"}, tmp_path)


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
    samples = load({"hf": "d"}, tmp_path)
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
    assert list(load({"hf": "d"}, tmp_path).columns["a"].values) == ["yes", None, "no"]
    with pytest.raises(DataError, match="row 3: field 'b': the target is missing"):
        load({"hf": {"name": "d", "target": "b"}}, tmp_path)


def test_hf_reads_a_folder_of_files(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "p").mkdir()
    pd.DataFrame({"a": [1, 2], "b": ["x", None]}).to_parquet(tmp_path / "p" / "train.parquet")
    with pytest.raises(DataError, match="row 2: field 'b': the target is missing"):
        load({"hf": {"name": "p", "target": "b"}}, tmp_path)
    assert load({"hf": {"name": "p", "target": "b"}}, tmp_path, "skip").columns["a"].values.tolist() == [1]


def test_hf_strings_are_text_where_types_say_so(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "p").mkdir()
    rows = [("a good film", "u1", 1), ("dull", "u2", 0), ("good good", "u3", 1), ("a dull film", "u4", 0)] * 5
    lines = [json.dumps({"said": said, "who": who, "mood": ("bad", "well")[mood]}) for said, who, mood in rows]
    (tmp_path / "p" / "train.jsonl").write_text("\n".join(lines))
    found = load({"hf": {"name": "p", "target": "mood", "types": {"said": "text", "who": "ignore"}}}, tmp_path)
    assert {name: column.kind for name, column in found.columns.items()} == {"said": "text", "mood": "categorical"}
    assert found.inputs == ("said",) and list(found.columns["said"].values[:2]) == ["a good film", "dull"]
    (tmp_path / "r.yaml").write_text(
        "task: classification\ndata: {source: {hf: {name: p, target: mood, types: {said: text, who: ignore}}}}\n"
        "model: {gru: {embedding_dim: 4, hidden: 4}}\n"
    )
    plan = make_plan(load_recipe(tmp_path / "r.yaml"))
    assert plan.facts.fields["said"].vocab == (4 + 4,) and plan.facts.classes == ("bad", "well")
    with pytest.raises(DataError, match="no field 'sad'; it has said, who, mood"):
        load({"hf": {"name": "p", "types": {"sad": "text"}}}, tmp_path)
