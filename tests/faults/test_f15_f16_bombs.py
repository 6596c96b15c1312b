"""Faults F15 and F16: image bombs and hostile archives."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from kit import source_error
from PIL import Image
from vision_inputs import write_photos

from dlx.errors import DataError
from dlx.sources._archive import ExtractionLimits, extract


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
    folder = write_photos(tmp_path)
    (folder / "bomb.png").write_bytes(png(width, height))
    message = source_error({"image_folder": {"path": "photos", "size": [8, 8]}}, tmp_path)
    assert "bomb.png" in message and "pixels" in message and "1 problem" in message


def test_f15_other_formats_than_those_allowed_are_refused(tmp_path):
    folder = write_photos(tmp_path)
    Image.new("RGB", (64, 48)).save(folder / "page.png", format="EPS")
    Image.new("RGB", (64, 48)).save(folder / "old.png", format="TGA")
    message = source_error({"image_folder": "photos"}, tmp_path)
    assert "page.png: not an image in one of the formats" in message and "old.png" in message


def test_f15_pixels_of_more_than_8_bits_are_not_clipped_silently(tmp_path):
    folder = write_photos(tmp_path)
    Image.fromarray(np.full((48, 64), 40000, dtype="uint16")).save(folder / "deep.png")
    assert "deep.png: its pixels have more than 8 bits" in source_error({"image_folder": "photos"}, tmp_path)


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
    assert "outside" in source_error({"image_folder": "photos.zip"}, tmp_path)
    assert not list(tmp_path.rglob("evil.png"))
