"""Folders of images: classes, splits, sizes, archives."""

import numpy as np
import pytest
from kit import load_source
from PIL import Image

from dlx.errors import DataError


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
    samples = load_source({"image_folder": "photos"}, folder)
    assert samples.columns["image"].values.shape == (4, 3, 4, 6)
    assert samples.columns["target"].classes == ("cat", "dog")
    shades = {0: 10, 1: 200}
    assert samples.columns["image"].values[:, 0, 0, 0].tolist() == [shades[c] for c in samples.columns["target"].values]
    assert sorted(samples.splits) == ["test", "test", "train", "train"]
    small = load_source({"image_folder": {"path": "photos", "size": [2, 3], "channels": 1}}, folder)
    assert small.columns["image"].values.shape == (4, 1, 2, 3)


def test_lazy_images_equal_those_in_memory(folder):
    kept = load_source({"image_folder": {"path": "photos"}}, folder).columns["image"].values
    lazy = load_source({"image_folder": {"path": "photos", "memory": 0.0}}, folder).columns["image"].values
    assert lazy.shape == kept.shape[1:] and lazy.dtype == kept.dtype.name
    assert np.array_equal(np.stack([lazy[i] for i in range(len(lazy))]), kept)


def test_photographs_stand_upright(tmp_path):
    path = tmp_path / "p" / "a" / "1.jpg"
    picture(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(path, exif=exif)
    assert load_source({"image_folder": "p"}, tmp_path).columns["image"].values.shape == (1, 3, 6, 4)


def test_images_of_several_sizes_need_a_size(folder):
    picture(folder / "photos/train/cat/2.png", size=(8, 8))
    with pytest.raises(DataError, match="images of 2 sizes"):
        load_source({"image_folder": "photos"}, folder)


def test_image_folder_reads_an_archive(folder, monkeypatch):
    import shutil

    shutil.make_archive(str(folder / "photos"), "zip", folder, "photos")
    monkeypatch.setenv("DLX_DATA", str(folder / "data"))
    zipped = load_source({"image_folder": "photos.zip"}, folder)
    assert np.array_equal(
        zipped.columns["image"].values, load_source({"image_folder": "photos"}, folder).columns["image"].values
    )
