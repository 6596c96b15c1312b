"""Faults F13 to F16 where data are read: bad labels, damaged files, image bombs, hostile archives."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlx.errors import DataError
from dlx.sources import Source
from dlx.sources._archive import ExtractionLimits, extract


def load(spec, base=Path(), on_error="raise"):
    return Source.model_validate(spec).load(Path(base), on_error)


def refused(spec, base=Path()):
    with pytest.raises(DataError) as raised:
        load(spec, base)
    return str(raised.value)


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
    message = refused("mnist")
    assert "train-labels-idx1-ubyte.gz: row 2 has label 12, but there are 10 classes" in message
    assert "t10k-labels-idx1-ubyte.gz: row 2" in message
    skipped = load("mnist", on_error="skip")
    assert len(skipped.columns["image"]) == len(skipped.splits) == 4 and len(skipped.problems) == 2


def test_f13_npz_label_without_a_class(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.eye(3), y=np.array([0, 2, -1]))
    spec = {"npz": {"path": "d.npz", "classes": ["no", "yes"]}}
    assert "row 2 of y has label 2" in refused(spec, tmp_path) and "row 3 of y has label -1" in refused(spec, tmp_path)
    kept = load(spec, tmp_path, "skip")
    assert kept.columns["y"].values.tolist() == [0] and kept.columns["x"].values.shape == (1, 3)


def test_f13_a_missing_target_names_its_line(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,2\n3,?\n4, \n")
    message = refused({"table": {"path": "t.csv", "target": "y"}}, tmp_path)
    assert "t.csv:3: column 'y': the target is missing" in message and "t.csv:4:" in message
    assert load({"table": {"path": "t.csv", "target": "y"}}, tmp_path, "skip").columns["a"].values.tolist() == [1]


# F14 corrupt image, empty file, CSV with a wrong cell


def write_table(path, wrong):
    rows = [f"{i},{wrong.get(i, i / 2)}" for i in range(100)]
    path.write_text('note,size\n"two\nlines",0\n' + "\n".join(rows) + "\n")


def test_f14_wrong_cells_are_listed_with_file_line_and_column(tmp_path):
    write_table(tmp_path / "t.csv", {10: "1O.5", 50: "inf", 70: "12:30"})
    spec = {"table": {"path": "t.csv", "types": {"note": "categorical"}}}
    message = refused(spec, tmp_path)
    for line, cell in ((14, "1O.5"), (54, "inf"), (74, "12:30")):
        assert f"t.csv:{line}: column 'size': '{cell}' is not a number" in message
    assert (tmp_path / "t.csv").read_text().split("\n")[13].endswith("1O.5")
    skipped = load(spec, tmp_path, "skip")
    assert len(skipped.columns["size"]) == 98 and len(skipped.problems) == 3
    assert np.isfinite(skipped.columns["size"].values).all()


def test_f14_a_column_that_is_often_text_is_a_category(tmp_path):
    write_table(tmp_path / "t.csv", {i: f"A{i}" for i in range(10)})
    spec = {"table": {"path": "t.csv", "types": {"note": "categorical"}}}
    assert load(spec, tmp_path).columns["size"].kind == "categorical"
    assert "column 'size': 'A9'" in refused({"table": {"path": "t.csv", "types": {"size": "numeric"}}}, tmp_path)


def test_f14_rows_with_too_many_or_too_few_cells(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n\n4,5,6\n7,8\n")
    message = refused({"table": "t.csv"}, tmp_path)
    assert "t.csv:3: 1 cells where 2" in message and "t.csv:5: 3 cells where 2" in message
    assert load({"table": "t.csv"}, tmp_path, "skip").columns["b"].values.tolist() == [2, 8]


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
    assert expected in refused({name.rpartition(".")[2] if name.endswith("npz") else "table": name}, tmp_path)


def pictures(root):
    folder = root / "photos" / "cat"
    folder.mkdir(parents=True)
    for i in range(3):
        Image.effect_noise((64, 48), 50).convert("RGB").save(folder / f"good{i}.png")
    return folder


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
    bad = damage(pictures(tmp_path))
    spec = {"image_folder": {"path": "photos", "size": [8, 8], "memory": memory}}
    message = refused(spec, tmp_path)
    for name, reason in bad.items():
        (line,) = [line for line in message.splitlines() if name in line]
        assert reason in line
    kept = load(spec, tmp_path, "skip")
    assert len(kept.columns["image"]) == len(kept.columns["target"]) == 3 and len(kept.problems) == 4


@pytest.mark.parametrize("memory", [2.0, 0.0], ids=["in memory", "when needed"])
def test_f14_a_photograph_cut_in_its_pixels(tmp_path, memory):
    folder = pictures(tmp_path)
    Image.effect_noise((64, 48), 50).convert("RGB").save(folder / "whole.jpg")
    data = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").write_bytes(data[: len(data) * 3 // 4])
    spec = {"image_folder": {"path": "photos", "memory": memory}}
    skipped = load(spec, tmp_path, "skip")
    assert len(skipped.columns["image"]) == 3 and "whole.jpg" in skipped.problems[0]
    with pytest.raises(DataError, match=r"whole\.jpg"):
        images = load(spec, tmp_path).columns["image"].values
        [images[i] for i in range(len(images))]


def test_f14_nothing_left_is_an_error_even_when_skipping(tmp_path):
    folder = tmp_path / "photos" / "cat"
    folder.mkdir(parents=True)
    (folder / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match="no image can be used"):
        load({"image_folder": "photos"}, tmp_path, "skip")


@pytest.mark.parametrize("keep", [3, 40, 900])
def test_f14_a_truncated_idx_file(tmp_path, monkeypatch, keep):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    write_mnist(tmp_path / "mnist", [1, 2, 3])
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:keep]))
    assert "train-images-idx3-ubyte.gz" in refused("mnist")
    path.write_bytes(path.read_bytes()[:-5])
    assert "damaged" in refused("mnist")


def test_f14_a_header_that_promises_too_much_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    write_mnist(tmp_path / "mnist", [1])
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 2**31)))
    assert "not an IDX file" in refused("mnist")


# F15 image bomb


def png(width, height):
    """A PNG of a few kilobytes that unpacks to width × height pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    row = zlib.compress(bytes(width + 1), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(9000, 9000), (12000, 12000), (60000, 60000)])
def test_f15_an_image_bomb_is_refused_before_it_is_decoded(tmp_path, width, height):
    folder = pictures(tmp_path)
    (folder / "bomb.png").write_bytes(png(width, height))
    message = refused({"image_folder": {"path": "photos", "size": [8, 8]}}, tmp_path)
    assert "bomb.png" in message and "pixels" in message and "1 problem" in message


def test_f15_other_formats_than_those_allowed_are_refused(tmp_path):
    folder = pictures(tmp_path)
    Image.new("RGB", (64, 48)).save(folder / "page.png", format="EPS")
    Image.new("RGB", (64, 48)).save(folder / "old.png", format="TGA")
    message = refused({"image_folder": "photos"}, tmp_path)
    assert "page.png: not an image in one of the formats" in message and "old.png" in message


def test_f15_pixels_of_more_than_8_bits_are_not_clipped_silently(tmp_path):
    folder = pictures(tmp_path)
    Image.fromarray(np.full((48, 64), 40000, dtype="uint16")).save(folder / "deep.png")
    assert "deep.png: its pixels have more than 8 bits" in refused({"image_folder": "photos"}, tmp_path)


# F16 archive with `..`, links, or a bomb inside


def tar_with(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, changes, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in changes.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return path


def zip_with(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, attributes, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(info, data)
    return path


def rejected(archive, folder, limits=None):
    before = {path for path in folder.parent.rglob("*") if path != archive}
    with pytest.raises(DataError) as raised:
        extract(archive, folder, limits)
    assert {path for path in folder.parent.rglob("*") if path != archive} == before, "something was left behind"
    return str(raised.value)


OUTSIDE = ["../evil", "a/../../evil", "/evil", "..", "a\\..\\..\\evil", "C:evil"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_f16_members_outside_of_the_folder(tmp_path, name):
    assert "outside" in rejected(
        tar_with(tmp_path / "a.tar.gz", ("good", {}, b"1"), (name, {}, b"2")), tmp_path / "out"
    )
    assert "outside" in rejected(zip_with(tmp_path / "a.zip", ("good", 0, b"1"), (name, 0, b"2")), tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_f16_links_and_devices_in_a_tar(tmp_path, kind):
    archive = tar_with(tmp_path / "a.tar", ("x", {"type": kind, "linkname": "/etc/passwd"}, b""), mode="w")
    assert "'x' is a link, a device" in rejected(archive, tmp_path / "out")


def test_f16_a_link_in_a_zip(tmp_path):
    assert "'x' is a link" in rejected(zip_with(tmp_path / "a.zip", ("x", 0o120777, b"/etc/passwd")), tmp_path / "out")


CAPS = ExtractionLimits(size=1 << 30, count=100, ratio=10, free=1 << 20)


def test_f16_bombs(tmp_path):
    zeros = bytes(8 << 20)
    assert "a bomb" in rejected(tar_with(tmp_path / "a.tar.gz", ("x", {}, zeros)), tmp_path / "out", CAPS)
    assert "a bomb" in rejected(zip_with(tmp_path / "a.zip", ("x", 0, zeros)), tmp_path / "out", CAPS)
    many = [(str(i), {}, b"") for i in range(101)]
    assert "more than 100 members" in rejected(tar_with(tmp_path / "b.tar.gz", *many), tmp_path / "out", CAPS)
    many = [(str(i), 0, b"") for i in range(101)]
    assert "more than 100 members" in rejected(zip_with(tmp_path / "b.zip", *many), tmp_path / "out", CAPS)


def test_f16_the_default_caps_stop_a_bomb_of_hundreds_of_megabytes(tmp_path):
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        info = tarfile.TarInfo("x")
        info.size = 300 << 20
        file.write(info.tobuf())
        for _ in range(300):
            file.write(bytes(1 << 20))
    assert "a bomb" in rejected(tmp_path / "a.tar.gz", tmp_path / "out")


def test_f16_a_header_of_endless_length(tmp_path):
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 32 << 20
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf() + bytes(32 << 20))
    assert "a bomb" in rejected(tmp_path / "a.tar.gz", tmp_path / "out", CAPS)


@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "tar"])
def test_f16_a_damaged_archive(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"no archive at all" * 100)
    assert "a." in rejected(tmp_path / f"a.{suffix}", tmp_path / "out")


def test_f16_a_cut_archive_leaves_nothing_behind(tmp_path):
    noise = np.random.default_rng(0).bytes(200_000)
    archive = tar_with(tmp_path / "a.tar.gz", ("one", {}, noise), ("two", {}, noise))
    archive.write_bytes(archive.read_bytes()[:300_000])
    assert "a.tar.gz" in rejected(archive, tmp_path / "out")


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tgz"])
def test_f16_an_honest_archive_is_unpacked(tmp_path, suffix):
    archive = tmp_path / f"a.{suffix}"
    if suffix == "zip":
        zip_with(archive, ("d/", 0o040755, b""), ("d/x", 0o100644, b"1"))
    else:
        mode = "w:" + {"tar": "", "tgz": "gz"}.get(suffix, suffix.rpartition(".")[2])
        tar_with(archive, ("d", {"type": tarfile.DIRTYPE}, b""), ("d/x", {}, b"1"), mode=mode)
    assert (extract(archive, tmp_path / "out") / "d" / "x").read_bytes() == b"1"


def test_f16_a_source_never_unpacks_what_is_hostile(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(tmp_path / "data"))
    zip_with(tmp_path / "photos.zip", ("../../evil.png", 0, b""))
    assert "outside" in refused({"image_folder": "photos.zip"}, tmp_path)
    assert not list(tmp_path.rglob("evil.png"))
