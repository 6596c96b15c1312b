"""Images with masks: classes of pixels, partners, sizes."""

import numpy as np
import pytest
from kit import load_source
from PIL import Image

from dlx.errors import DataError


def save(path, pixels, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(path)


def test_masks_are_the_values_of_their_pixels(tmp_path):
    generator = np.random.default_rng(0)
    masks = generator.integers(0, 3, (4, 6, 5))
    for i, mask in enumerate(masks):
        part = "val" if i == 3 else "train"
        save(tmp_path / part / "images" / f"{i}.png", generator.integers(0, 255, (6, 5)))
        save(tmp_path / part / "masks" / f"{i}.png", mask)
    spec = {"path": str(tmp_path), "channels": 1}
    samples = load_source({"image_masks": {**spec, "classes": ["sky", "sea", "land"]}})
    assert np.array_equal(samples.columns["target"].values, masks) and samples.columns["target"].axes == "HW"
    assert list(samples.splits) == ["train"] * 3 + ["val"] and samples.columns["image"].values.shape == (4, 1, 6, 5)
    resized = load_source({"image_masks": {**spec, "size": [12, 10]}}).columns["target"]
    assert np.array_equal(resized.values, masks.repeat(2, 1).repeat(2, 2)) and resized.classes == ("0", "1", "2")


def test_black_and_white_masks_have_two_classes(tmp_path):
    save(tmp_path / "images/a.png", np.zeros((4, 4)))
    save(tmp_path / "masks/a.gif", 255 * np.eye(4))
    target = load_source({"image_masks": str(tmp_path)}).columns["target"]
    assert np.array_equal(target.values[0], np.eye(4)) and len(target.classes) == 2


def test_masks_that_do_not_fit_are_named(tmp_path):
    for name in ("good", "lonely", "small", "color", "high"):
        save(tmp_path / f"images/{name}.png", np.zeros((4, 4)))
    save(tmp_path / "masks/good.png", np.eye(4))
    save(tmp_path / "masks/small.png", np.eye(3))
    save(tmp_path / "masks/color.png", np.zeros((4, 4, 3)), "RGB")
    save(tmp_path / "masks/high.png", 7 * np.eye(4))
    save(tmp_path / "masks/orphan.png", np.eye(4))
    spec = {"path": str(tmp_path), "classes": ["no", "yes"]}
    with pytest.raises(DataError) as error:
        load_source({"image_masks": spec})
    for reason in (
        "lonely.png: there is no mask",
        "orphan.png: there is no image",
        "small.png: 3 × 3 pixels, but its image has 4 × 4",
        "color.png: its pixels are colors",
        "high.png: row 1, column 1 has value 7, but there are 2 classes",
    ):
        assert reason in str(error.value)
    assert len(load_source({"image_masks": spec}, on_error="skip").columns["target"]) == 1


def test_two_files_of_one_name_are_a_problem(tmp_path):
    for folder in ("images", "masks"):
        save(tmp_path / folder / "good.png", np.eye(4))
        save(tmp_path / folder / "twice.png", np.eye(4))
    save(tmp_path / "images/twice.bmp", np.zeros((4, 4)))
    with pytest.raises(DataError, match=r"have one name: which of them is twice\?"):
        load_source({"image_masks": str(tmp_path)})


@pytest.mark.parametrize("suffix", ["jpg", "jpeg"])
def test_masks_in_jpeg_are_refused(suffix, tmp_path):
    save(tmp_path / "images/a.png", np.zeros((16, 16)))
    save(tmp_path / f"masks/a.{suffix}", 3 * np.eye(16))
    with pytest.raises(DataError, match="JPEG changes values"):
        load_source({"image_masks": str(tmp_path)})


def test_pixels_to_ignore_belong_to_no_class(tmp_path):
    mask = np.array([[0, 1, 255, 255], [2, 0, 1, 255]])
    save(tmp_path / "images/a.png", np.zeros((2, 4)))
    save(tmp_path / "masks/a.png", mask)
    target = load_source({"image_masks": {"path": str(tmp_path), "ignore": 255}}).columns["target"]
    assert len(target.classes) == 3
    assert np.array_equal(target.values[0], np.where(mask == 255, -100, mask))
