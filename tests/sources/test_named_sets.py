"""Named data sets are read from their official files."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from kit import load_source

from dlx.sources import Source

REAL = Path(os.environ.get("DLX_DATA", Path(__file__).parents[2] / "../shared/data"))


def real(folder):
    if not (REAL / folder).is_dir():
        pytest.skip(f"needs real data: set DLX_DATA to a folder that holds {folder}/")
    return REAL


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
    samples = load_source(name)
    assert np.array_equal(samples.columns["image"].values[:3, 0], pixels)
    assert samples.columns["target"].values.tolist() == [3, 9, 0] * 2
    assert list(samples.splits) == ["train"] * 3 + ["test"] * 3


def test_real_mnist(monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(real("mnist")))
    samples = load_source("mnist")
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
    for file in Source.model_validate("cifar10").files(Path()):
        file.write_bytes(bytes([7]) + planes.astype("uint8").tobytes())
    samples = load_source("cifar10")
    assert samples.columns["image"].values.shape == (6, 3, 32, 32)
    assert np.array_equal(samples.columns["image"].values[0].ravel(), planes)
    assert {samples.columns["target"].classes[c] for c in samples.columns["target"].values} == {"horse"}
    assert list(samples.splits) == ["train"] * 5 + ["test"]


@pytest.mark.parametrize("dataset", ["iris", "wine", "breast_cancer"])
def test_sklearn_tables_are_what_sklearn_reports(dataset):
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{dataset}")()
    samples = load_source({"sklearn": dataset})
    assert samples.inputs == tuple(bunch.feature_names)
    assert np.array_equal(np.stack([samples.columns[name].values for name in samples.inputs], 1), bunch.data)
    named = [samples.columns["target"].classes[code] for code in samples.columns["target"].values]
    assert named == list(bunch.target_names[bunch.target])


def test_sklearn_digits_are_images_and_diabetes_is_unscaled():
    from sklearn import datasets

    digits = load_source({"sklearn": "digits"}).columns["image"]
    assert (digits.values.shape, digits.values.dtype, digits.kind) == ((1797, 1, 8, 8), np.uint8, "image")
    assert np.array_equal(digits.values.reshape(1797, 64), datasets.load_digits().data)
    ages = load_source({"sklearn": "diabetes"}).columns["age"].values
    assert ages.min() == 19 and ages.max() == 79
