"""Arrays of NumPy: what their axes mean, and what cannot be used."""

import numpy as np
import pytest
from kit import load_source

from dlx.errors import DataError


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
    samples = load_source({"npz": {"path": "d.npz", "x_test": "t", "y_test": "u", "classes": ["no", "yes"]}}, tmp_path)
    column = samples.columns["x"]
    assert column.values.shape == (7, *expected[1:]) and column.axes == axes
    assert sorted(column.values[:5].ravel()) == sorted(x.ravel())
    assert list(samples.splits) == ["train"] * 5 + ["test"] * 2
    assert samples.columns["y"].values.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_npz_refuses_python_objects(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.array([{}], dtype=object), y=np.array([1]))
    with pytest.raises(DataError, match="allow_pickle"):
        load_source({"npz": "d.npz"}, tmp_path)


@pytest.mark.parametrize(
    ("shape", "value", "reason"),
    [
        ((5, 3), np.inf, "row 3 of x is infinite"),
        ((5, 7, 3), np.nan, "row 3 of x is not a number"),
        ((5, 3), np.nan, None),
    ],
)
def test_numbers_that_are_not_finite_are_named_unless_they_are_missing(shape, value, reason, tmp_path):
    x = np.ones(shape)
    x[2, -1] = value
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(5) % 2)
    spec = {"npz": {"path": "d.npz", "axes": "TF"} if x.ndim == 3 else {"path": "d.npz"}}
    if reason is None:
        assert np.isnan(load_source(spec, tmp_path).columns["x"].values[2, -1])
        return
    with pytest.raises(DataError, match=reason):
        load_source(spec, tmp_path)
    assert len(load_source(spec, tmp_path, "skip").columns["x"]) == 4


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.zeros((0, 3)), np.zeros(0), "'x' has no samples"),
        (np.array(["a", "b", "c"]), np.array([0, 1, 0]), "'x' holds text"),
        (np.zeros((3, 2)), np.array([b"\xff\xfe", b"\x80", b"a"]), "'y' holds bytes that are no text"),
        (np.zeros((3, 2)), np.array([{}, 1, 2], dtype=object), "cannot be read as arrays of numbers"),
    ],
)
def test_arrays_that_are_no_numbers_are_one_sentence(tmp_path, x, y, why):
    np.savez(tmp_path / "a.npz", x=x, y=y)
    with pytest.raises(DataError, match=why):
        load_source({"npz": {"path": "a.npz"}}, tmp_path)


def test_labels_in_bytes_are_text(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 2)), y=np.array(["größer".encode(), b"b"]))
    assert list(load_source({"npz": {"path": "a.npz"}}, tmp_path).columns["y"].values) == ["größer", "b"]
