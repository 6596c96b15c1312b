"""Faults F13 and F14 where data are read: bad labels, damaged files."""

import gzip
import struct

import numpy as np
import pytest
from kit import load_source, source_error
from PIL import Image
from vision_inputs import write_photos

from dlx.errors import DataError

# F13 a label ≥ number of classes; a target missing


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype("uint8").tobytes()))


def write_mnist(folder, labels):
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", np.zeros((len(labels), 28, 28)))
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.array(labels))


def test_f13_a_label_without_a_class_names_its_row(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    write_mnist(tmp_path / "mnist", [1, 2, 12])
    message = source_error("mnist")
    assert "train-labels-idx1-ubyte.gz: row 2 has label 12, but there are 10 classes" in message
    assert "t10k-labels-idx1-ubyte.gz: row 2" in message
    skipped = load_source("mnist", on_error="skip")
    assert len(skipped.columns["image"]) == len(skipped.splits) == 4 and len(skipped.problems) == 2


def test_f13_npz_label_without_a_class(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.eye(3), y=np.array([0, 2, -1]))
    spec = {"npz": {"path": "d.npz", "classes": ["no", "yes"]}}
    assert "row 2 of y has label 2" in source_error(spec, tmp_path) and "row 3 of y has label -1" in source_error(
        spec, tmp_path
    )
    kept = load_source(spec, tmp_path, "skip")
    assert kept.columns["y"].values.tolist() == [0] and kept.columns["x"].values.shape == (1, 3)


def test_f13_a_missing_target_names_its_line(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,2\n3,?\n4, \n")
    message = source_error({"table": {"path": "t.csv", "target": "y"}}, tmp_path)
    assert "t.csv:3: column 'y': the target is missing" in message and "t.csv:4:" in message
    assert load_source({"table": {"path": "t.csv", "target": "y"}}, tmp_path, "skip").columns["a"].values.tolist() == [
        1
    ]


# F14 corrupt image, empty file, CSV with a wrong cell


def write_table(path, wrong):
    rows = [f"{i},{wrong.get(i, i / 2)}" for i in range(100)]
    path.write_text('note,size\n"two\nlines",0\n' + "\n".join(rows) + "\n")


def test_f14_wrong_cells_are_listed_with_file_line_and_column(tmp_path):
    write_table(tmp_path / "t.csv", {10: "1O.5", 50: "inf", 70: "12:30"})
    spec = {"table": {"path": "t.csv", "types": {"note": "categorical"}}}
    message = source_error(spec, tmp_path)
    for line, cell in ((14, "1O.5"), (54, "inf"), (74, "12:30")):
        assert f"t.csv:{line}: column 'size': '{cell}' is not a number" in message
    assert (tmp_path / "t.csv").read_text().split("\n")[13].endswith("1O.5")
    skipped = load_source(spec, tmp_path, "skip")
    assert len(skipped.columns["size"]) == 98 and len(skipped.problems) == 3
    assert np.isfinite(skipped.columns["size"].values).all()


def test_f14_a_column_that_is_often_text_is_a_category(tmp_path):
    write_table(tmp_path / "t.csv", {i: f"A{i}" for i in range(10)})
    spec = {"table": {"path": "t.csv", "types": {"note": "categorical"}}}
    assert load_source(spec, tmp_path).columns["size"].kind == "categorical"
    assert "column 'size': 'A9'" in source_error({"table": {"path": "t.csv", "types": {"size": "numeric"}}}, tmp_path)


def test_f14_rows_with_too_many_or_too_few_cells(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n\n4,5,6\n7,8\n")
    message = source_error({"table": "t.csv"}, tmp_path)
    assert "t.csv:3: 1 cells where 2" in message and "t.csv:5: 3 cells where 2" in message
    assert load_source({"table": "t.csv"}, tmp_path, "skip").columns["b"].values.tolist() == [2, 8]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b"\n\n", "the file is empty"),
        ("t.csv", b"a,b\n", "no rows"),
        ("t.csv", b"a,a\nx,1\n", "columns with the same name"),
        ("t.csv", b"a,b\n1,x\n2,caf\xe9\n", "t.csv:3: not utf-8 text"),
        ("t.csv", b'a,b\n1,"x\n2,y\n', "t.csv:2: unexpected end of data"),
        ("t.csv.gz", b"not gzip", "cannot be read"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n[1]\n', "t.jsonl:2: not JSON"),
        ("t.parquet", b"PAR1 nothing", "not a parquet file"),
        ("t.npz", b"PK\x03\x04 nothing", "cannot be read"),
        ("u.csv", None, "no such file"),
    ],
)
def test_f14_damaged_tables(tmp_path, name, content, expected):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert expected in source_error({name.rpartition(".")[2] if name.endswith("npz") else "table": name}, tmp_path)


def damage(folder):
    good = (folder / "good0.png").read_bytes()
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "text.jpg").write_text("I am no image")
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    (folder / "flipped.png").write_bytes(bytes(flipped))
    return {
        "empty.png": "the file is empty",
        "cut.png": "damaged",
        "text.jpg": "not an image",
        "flipped.png": "damaged",
    }


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "when needed"])
def test_f14_damaged_images_are_all_listed_or_left_out(tmp_path, memory):
    bad = damage(write_photos(tmp_path))
    spec = {"image_folder": {"path": "photos", "size": [8, 8], "memory": memory}}
    message = source_error(spec, tmp_path)
    for name, reason in bad.items():
        (line,) = [line for line in message.splitlines() if name in line]
        assert reason in line
    kept = load_source(spec, tmp_path, "skip")
    assert len(kept.columns["image"]) == len(kept.columns["target"]) == 3 and len(kept.problems) == 4


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "when needed"])
def test_f14_a_photograph_cut_in_its_pixels(tmp_path, memory):
    folder = write_photos(tmp_path)
    Image.effect_noise((64, 48), 50).convert("RGB").save(folder / "whole.jpg")
    data = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").write_bytes(data[: len(data) * 3 // 4])
    spec = {"image_folder": {"path": "photos", "memory": memory}}
    skipped = load_source(spec, tmp_path, "skip")
    assert len(skipped.columns["image"]) == 3 and "whole.jpg" in skipped.problems[0]
    with pytest.raises(DataError, match=r"whole\.jpg"):
        images = load_source(spec, tmp_path).columns["image"].values
        [images[i] for i in range(len(images))]


def test_f14_nothing_left_is_an_error_even_when_skipping(tmp_path):
    folder = tmp_path / "photos" / "cat"
    folder.mkdir(parents=True)
    (folder / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match="no image can be used"):
        load_source({"image_folder": "photos"}, tmp_path, "skip")


@pytest.mark.parametrize("keep", [3, 40, 900])
def test_f14_a_truncated_idx_file(tmp_path, monkeypatch, keep):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    write_mnist(tmp_path / "mnist", [1, 2, 3])
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:keep]))
    assert "train-images-idx3-ubyte.gz" in source_error("mnist")
    path.write_bytes(path.read_bytes()[:-5])
    assert "damaged" in source_error("mnist")


def test_f14_a_header_that_promises_too_much_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    write_mnist(tmp_path / "mnist", [1])
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 2**31)))
    assert "not an IDX file" in source_error("mnist")
