import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from dlx.errors import ShapeError
from dlx.tensors import Stats, TensorSpec
from dlx.transforms import Transform


def transform(value):
    return Transform.model_validate(value)


def described(batch, axes, **more):
    """Return the TensorSpec of a batch with its true statistics."""
    array = batch.numpy().astype(np.float64)
    axis = next((i + 1 for i, a in enumerate(axes) if a in "CF"), None)
    columns = array.reshape(-1, 1) if axis is None else np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
    stats = Stats(
        mean=tuple(columns.mean(0)),
        std=tuple(columns.std(0)),
        low=tuple(columns.min(0)),
        high=tuple(columns.max(0)),
        quantiles=tuple(tuple(np.quantile(c, np.linspace(0, 1, 5))) for c in columns.T),
    )
    dtype = str(batch.dtype).removeprefix("torch.")
    return TensorSpec(tuple(batch.shape[1:]), axes, dtype, stats=stats, **more)


def images(dtype=torch.uint8, channels=3):
    generator = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (16, channels, 8, 10), generator=generator)
    return batch.to(dtype)


def features():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 5, generator=generator) * torch.tensor([1.0, 10, 0.1, 3, 0]) + torch.tensor(
        [0.0, 5, 1, -7, 2]
    )


@pytest.mark.parametrize(("scale", "reference"), [("mean_std", StandardScaler()), ("unit", MinMaxScaler())])
def test_normalize_of_columns_is_scikit_learns(scale, reference):
    batch = features()
    x = described(batch, "F")
    out = transform({"type": "normalize", "scale": scale}).build(x)(batch)
    np.testing.assert_allclose(out.numpy(), reference.fit_transform(batch.numpy().astype(np.float64)), atol=2e-5)


def test_normalized_byte_images_have_mean_0_and_deviation_1_in_every_channel():
    batch = images()
    out = transform("normalize").build(described(batch, "CHW"))(batch)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_normalize_to_the_unit_range_divides_bytes_by_255():
    batch = images()
    out = transform({"type": "normalize", "scale": "unit"}).build(TensorSpec((3, 8, 10), "CHW", "uint8"))(batch)
    torch.testing.assert_close(out, batch / 255)


def test_normalize_with_given_numbers():
    batch = images(torch.float32)
    x = TensorSpec((3, 8, 10), "CHW")
    out = transform({"type": "normalize", "mean": [1.0, 2.0, 3.0], "std": 2}).build(x)(batch)
    torch.testing.assert_close(out, (batch - torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1)) / 2)


def test_normalize_updates_the_statistics():
    batch = features()
    stats = transform("normalize").spec(described(batch, "F")).stats
    np.testing.assert_allclose(stats.mean, 0, atol=1e-9)
    np.testing.assert_allclose(stats.std, [1, 1, 1, 1, 0], atol=1e-9)
    np.testing.assert_allclose(np.array(stats.quantiles)[:, 0], stats.low)


def test_normalize_keeps_digits_beside_a_large_mean():
    batch = torch.tensor([[1e6], [1e6 + 1], [1e6 + 2]])
    out = transform("normalize").build(described(batch, "F"))(batch)
    torch.testing.assert_close(out.squeeze(), torch.tensor([-(1.5**0.5), 0, 1.5**0.5]))


@pytest.mark.parametrize(
    ("value", "x", "words"),
    [
        ("normalize", TensorSpec((3,), "F"), "does not know the mean"),
        ({"type": "normalize", "mean": [0.0, 1.0], "std": 1}, TensorSpec((3,), "F"), "2 numbers"),
        (
            {"type": "normalize", "mean": 0.5, "std": 0.2},
            TensorSpec((3, 8, 8), "CHW", "uint8"),
            "multiply yours by 255",
        ),
        (
            {"type": "normalize", "mean": 0, "std": 1},
            TensorSpec((2,), "F", "int64", vocab=(3, 4)),
            "codes of categories",
        ),
        ({"type": "normalize", "mean": 0, "scale": "unit"}, TensorSpec((2,), "F", "uint8"), "takes no mean"),
    ],
)
def test_normalize_refuses(value, x, words):
    with pytest.raises(ShapeError, match=words):
        transform(value).spec(x)
