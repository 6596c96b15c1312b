"""Every transform against an independent implementation: scikit-learn, Pillow, NumPy."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from transform_inputs import described, features, images, transform

from dlx.errors import ShapeError
from dlx.tensors import Stats, TensorSpec


@pytest.mark.parametrize(("method", "reference"), [("standard", StandardScaler()), ("min_max", MinMaxScaler())])
def test_normalize_of_columns_is_scikit_learns(method, reference):
    batch = features()
    x = described(batch, "F")
    out = transform({"type": "normalize", "method": method}).build(x)(batch)
    np.testing.assert_allclose(out.numpy(), reference.fit_transform(batch.numpy().astype(np.float64)), atol=2e-5)


def test_normalized_byte_images_have_mean_0_and_deviation_1_in_every_channel():
    batch = images()
    out = transform("normalize").build(described(batch, "CHW"))(batch)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_normalize_to_the_unit_range_divides_bytes_by_255():
    batch = images()
    out = transform({"type": "normalize", "method": "min_max"}).build(TensorSpec((3, 8, 10), "CHW", "uint8"))(batch)
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
        ({"type": "normalize", "mean": 0, "method": "min_max"}, TensorSpec((2,), "F", "uint8"), "takes no mean"),
    ],
)
def test_normalize_refuses(value, x, words):
    with pytest.raises(ShapeError, match=words):
        transform(value).spec(x)


def test_normalize_maps_booleans():
    batch = torch.tensor([[True], [False]])
    x = TensorSpec((1,), "F", "bool", stats=Stats(mean=(0.5,), std=(0.5,)))
    assert transform("normalize").build(x)(batch).tolist() == [[1.0], [-1.0]]


@pytest.mark.parametrize(
    ("mode", "filter_", "tolerance"),
    [
        ("bilinear", Image.Resampling.BILINEAR, 1.0),
        ("area", Image.Resampling.BOX, 1.0),
        ("nearest", Image.Resampling.NEAREST, 0),
    ],
)
def test_resize_is_pillows(mode, filter_, tolerance):
    batch = images(channels=1)[:, :, :8, :8]
    out = transform({"type": "resize", "size": [4, 4], "mode": mode}).build(TensorSpec((1, 8, 8), "CHW", "uint8"))(
        batch
    )
    for image, resized in zip(batch, out, strict=True):
        expected = np.asarray(Image.fromarray(image[0].numpy()).resize((4, 4), filter_))
        np.testing.assert_allclose(resized[0].numpy(), expected, atol=tolerance)


def test_resize_without_antialias_skips_pixels():
    batch = torch.tensor([0.0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 9]).reshape(1, 1, 1, 12).repeat(1, 1, 12, 1)
    x = TensorSpec((1, 12, 12), "CHW")
    smooth, sharp = ({"type": "resize", "size": 3, "antialias": a} for a in (True, False))
    assert transform(smooth).build(x)(batch).min() > 1
    assert transform(sharp).build(x)(batch).max() == 0


def test_grayscale_is_pillows():
    batch = images()
    out = transform("grayscale").build(TensorSpec((3, 8, 10), "CHW", "uint8"))(batch)
    for image, gray in zip(batch, out, strict=True):
        expected = np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L"))
        np.testing.assert_allclose(gray[0].numpy(), expected, atol=1)


def test_center_crop_takes_the_middle():
    batch = torch.arange(30).reshape(1, 1, 5, 6)
    x = TensorSpec((1, 5, 6), "CHW", "int64")
    assert transform({"center_crop": [1, 2]}).build(x)(batch).tolist() == [[[[14, 15]]]]
    with pytest.raises(ShapeError, match="6 × 2 out of 5 × 6"):
        transform({"center_crop": [6, 2]}).spec(x)


def test_pad_by_side_and_its_statistics():
    batch = images()
    x = described(batch, "CHW")
    leaf = transform({"type": "pad", "padding": [1, 2, 3, 4], "value": 7})
    out = leaf.build(x)(batch)
    assert out.shape == (16, 3, 11, 17)
    assert torch.equal(out[:, :, 1:9, 3:13], batch)
    outside = torch.ones_like(out, dtype=torch.bool)
    outside[:, :, 1:9, 3:13] = False
    assert (out[outside] == 7).all()
    truth = described(out, "CHW").stats
    np.testing.assert_allclose(leaf.spec(x).stats.mean, truth.mean)
    np.testing.assert_allclose(leaf.spec(x).stats.std, truth.std)


@pytest.mark.parametrize(("mode", "reference"), [("reflect", "reflect"), ("replicate", "edge")])
def test_pad_modes_are_numpys(mode, reference):
    batch = images()
    out = transform({"type": "pad", "padding": [2, 3], "mode": mode}).build(described(batch, "CHW"))(batch)
    np.testing.assert_array_equal(out, np.pad(batch.numpy(), ((0, 0), (0, 0), (2, 2), (3, 3)), mode=reference))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"type": "pad", "padding": 1, "value": 0.5}, "whole numbers"),
        ({"type": "pad", "padding": 8, "mode": "reflect"}, "cannot mirror"),
        ({"type": "to_rgb"}, "1 channel"),
    ],
)
def test_image_transforms_refuse(value, words):
    with pytest.raises(ShapeError, match=words):
        transform(value).spec(TensorSpec((3, 8, 10), "CHW", "uint8"))


def test_one_hot_is_scikit_learns():
    codes = torch.tensor([[0, 3], [2, 1], [1, 0]])
    x = TensorSpec((2,), "F", "int64", vocab=(3, 4), names=("a", "b"))
    encoder = OneHotEncoder(categories=[range(3), range(4)], sparse_output=False)
    np.testing.assert_array_equal(transform("one_hot").build(x)(codes), encoder.fit_transform(codes.numpy()))
    assert transform("one_hot").spec(x).names == ("a=0", "a=1", "a=2", "b=0", "b=1", "b=2", "b=3")


def test_one_hot_of_an_unknown_code_is_zeros():
    x = TensorSpec((), "", "int64", vocab=(3,))
    out = transform("one_hot").build(x)(torch.tensor([-1, 1, 3]))
    assert out.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_scale_clip_binarize_and_to_rgb():
    batch = torch.tensor([[0, 100, 255]], dtype=torch.uint8)
    x = TensorSpec((3,), "F", "uint8")
    assert transform({"type": "scale", "factor": 2, "shift": [0.0, 1.0, 2.0]}).build(x)(batch).tolist() == [
        [0, 201, 512]
    ]
    assert transform({"type": "clip", "min": 1.5, "max": 200}).build(x)(batch).tolist() == [[1.5, 100, 200]]
    assert transform({"binarize": 100}).build(x)(batch).tolist() == [[0, 0, 1]]
    image = images(channels=1)
    assert torch.equal(
        transform("to_rgb").build(TensorSpec((1, 8, 10), "CHW", "uint8"))(image), image.expand(-1, 3, -1, -1)
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"type": "clip"}, "needs min or max"),
        ({"type": "clip", "min": 2, "max": 1}, "min 2 is above max 1"),
        ({"pad": [1, 2, 3]}, "at least 4 items"),
        ({"resize": 0}, "greater than 0"),
    ],
)
def test_impossible_fields_are_errors(value, words):
    with pytest.raises(ValueError, match=words):
        transform(value)


def test_log1p_signed_and_refused():
    batch = torch.tensor([[-3.0], [0.0], [7.0]])
    x = described(batch, "F")
    with pytest.raises(ShapeError, match=r"set `signed: true`"):
        transform("log1p").spec(x)
    out = transform({"type": "log1p", "signed": True}).build(x)(batch)
    np.testing.assert_allclose(out.squeeze(), [-np.log(4), 0, np.log(8)], rtol=1e-6)
    positive = TensorSpec((1,), "F", stats=Stats(low=(0,), high=(7,)))
    np.testing.assert_allclose(transform("log1p").build(positive)(batch[1:]).squeeze(), [0, np.log(8)], rtol=1e-6)


def test_moments_after_a_curve_come_from_the_quantiles():
    values = np.random.default_rng(0).lognormal(3, 1, 20_000)
    quantiles = tuple(np.quantile(values, np.linspace(0, 1, 101)))
    x = TensorSpec((1,), "F", stats=Stats(low=(values.min(),), high=(values.max(),), quantiles=(quantiles,)))
    stats = transform("log1p").spec(x).stats
    assert stats.mean[0] == pytest.approx(np.log1p(values).mean(), rel=0.01)
    assert stats.std[0] == pytest.approx(np.log1p(values).std(), rel=0.03)


def test_flattened_columns_keep_the_statistics_of_their_channel():
    batch = images()
    x = described(batch, "CHW")
    leaf = transform("flatten")
    assert torch.equal(leaf.build(x)(batch), batch.flatten(1))
    assert leaf.spec(x).stats.mean[79:82] == (x.stats.mean[0], x.stats.mean[1], x.stats.mean[1])
    steps = features().reshape(16, 4, 5)
    assert leaf.spec(described(steps, "TF")).stats.mean == described(steps, "TF").stats.mean * 4
