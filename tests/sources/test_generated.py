"""Sources made of numbers: what they hold is what their formulas say."""

import math

import numpy as np
import pytest
from kit import load_source


@pytest.mark.parametrize(
    ("gate", "outputs"),
    [("and", "0001"), ("or", "0111"), ("xor", "0110"), ("nand", "1110"), ("nor", "1000"), ("xnor", "1001")],
)
def test_gates_hold_their_truth_table(gate, outputs):
    samples = load_source({"type": "gates", "gate": gate, "repeat": 3})
    rows = zip(*(samples.columns[name].values for name in samples.inputs), strict=True)
    truth = dict(zip([(0, 0), (0, 1), (1, 0), (1, 1)], outputs, strict=True))
    labels = [samples.columns["target"].classes[code] for code in samples.columns["target"].values]
    assert [truth[row] for row in rows] == labels and len(labels) == 12


def test_noise_has_every_byte_and_every_class_alike_and_in_no_order():
    samples = load_source({"random_images": {"n_samples": 200, "image_size": 32, "channels": 1, "n_classes": 10}})
    images, labels = samples.columns["image"].values, samples.columns["target"].values
    assert images.shape == (200, 1, 32, 32) and images.dtype == np.uint8
    assert abs(np.bincount(images.ravel(), minlength=256) / images.size * 256 - 1).max() < 0.2
    assert np.bincount(labels).tolist() == [20] * 10
    assert (np.diff(labels) == 1).mean() < 0.3


def test_spirals_lie_on_their_arms_and_sine_on_its_wave():
    arms = load_source({"type": "spirals", "n_classes": 3, "turns": 1.0, "noise": 0.0}).columns
    x, y, k = (arms[name].values for name in ("x1", "x2", "target"))
    turned = (np.arctan2(y, x) / (2 * math.pi) - np.hypot(x, y) - k / 3) % 1
    assert np.allclose(np.minimum(turned, 1 - turned), 0, atol=1e-9)
    wave = load_source({"type": "sine", "frequency": 2.0, "noise": 0.0}).columns
    assert np.allclose(wave["y"].values, np.sin(4 * math.pi * wave["x"].values))


def rows(column):
    return [column.values[i] for i in range(len(column))]


@pytest.mark.parametrize(("name", "function"), [("copy", list), ("reverse", lambda s: s[::-1]), ("sort", sorted)])
def test_symbols_are_rewritten(name, function):
    samples = load_source({name: {"n_samples": 200, "min_length": 3, "max_length": 6, "n_symbols": 4}})
    sources, targets = ([text.split() for text in samples.columns[n].values] for n in ("source", "target"))
    assert [function(s) for s in sources] == targets
    assert {len(s) for s in sources} == {3, 4, 5, 6} and {c for s in sources for c in s} == set("abcd")


def test_delayed_recall_asks_for_the_first_letter():
    samples = load_source({"delayed_recall": {"n_samples": 100, "delay": 7, "n_symbols": 3}})
    texts = [text.split() for text in samples.columns["text"].values]
    classes = samples.columns["target"].classes
    assert [classes[code] for code in samples.columns["target"].values] == [text[0] for text in texts]
    assert {len(text) for text in texts} == {9} and {text[-1] for text in texts} == {"?"}
    assert not {c for text in texts for c in text[1:]} & set(classes)


def test_adding_has_two_marks_and_a_baseline_of_a_sixth():
    samples = load_source({"adding": {"n_samples": 20000, "length": 11}})
    numbers, marks = np.moveaxis(samples.columns["sequence"].values, 2, 0)
    assert (marks[:, :5].sum(1) == 1).all() and (marks[:, 5:].sum(1) == 1).all()
    total = samples.columns["sum"].values
    assert np.allclose(total, [n[m == 1].sum() for n, m in zip(numbers, marks, strict=True)])
    assert abs(((total - 1) ** 2).mean() - 1 / 6) < 0.005


def test_shapes_are_brighter_than_their_background_and_of_the_area_that_geometry_says():
    samples = load_source({"shapes": {"n_samples": 300, "image_size": 64, "max_objects": 1, "noise": 0.0}})
    images, masks = samples.columns["image"].values[:, 0], samples.columns["target"].values
    assert images[masks > 0].min() >= 120 > 80 >= images[masks == 0].max()
    for code, filled in ((1, np.pi / 4), (2, 1.0), (3, 0.5)):
        found = [m == code for m in masks if (m == code).any()]
        shares = [f.sum() / ((np.ptp(np.where(f)[0]) + 1) * (np.ptp(np.where(f)[1]) + 1)) for f in found]
        assert abs(np.mean(shares) - filled) < 0.06
