"""Folders of splits and of classes."""

import numpy as np
import pytest
from kit import load_source
from PIL import Image

from dlx.sources._folders import split_folders


def make(root, *folders):
    for number, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        Image.fromarray(np.full((4, 4), number, dtype=np.uint8)).save(root / folder / f"{number}.png")


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [("train", "test", "test"), ("Training", "Testing", "test"), ("TRAIN", "valid", "val"), ("train", "dev", "val")],
)
def test_folders_of_splits_are_known_by_their_usual_names(train, other, split, tmp_path):
    make(tmp_path, f"{train}/cat", f"{train}/dog", f"{other}/cat", f"{other}/dog")
    samples = load_source({"image_folder": str(tmp_path)})
    assert samples.columns[samples.target].classes == ("cat", "dog")
    assert sorted(samples.splits) == sorted(["train", "train", split, split])


def test_a_name_that_is_read_as_another_is_said(tmp_path):
    make(tmp_path, "Training/cat", "Training/dog", "Testing/cat", "Testing/dog")
    (said,) = split_folders(tmp_path).inferred
    assert "Training as train" in said and "Testing as test" in said


def test_classes_that_hold_the_same_folders_are_doubted(tmp_path):
    make(tmp_path, "first/cat", "first/dog", "second/cat", "second/dog")
    (said,) = load_source({"image_folder": str(tmp_path)}).warnings
    assert "first, second are taken for classes" in said and "train, val and test" in said


def test_a_folder_beside_those_of_splits_is_left_out_and_said(tmp_path):
    make(tmp_path, "train/cat", "train/dog", "test/cat", "test/dog", "old/cat")
    samples = load_source({"image_folder": str(tmp_path)})
    assert len(samples.splits) == 4 and any("left out the folders old" in said for said in samples.warnings)


def test_a_class_may_be_called_test(tmp_path):
    make(tmp_path, "test", "control")
    samples = load_source({"image_folder": str(tmp_path)})
    assert samples.splits is None and samples.columns[samples.target].classes == ("control", "test")
