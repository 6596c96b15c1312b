import inspect
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.ndimage import gaussian_filter

from dlx.augmentations import Augmentation
from dlx.component import leaf_class, types
from dlx.errors import DataError, ShapeError
from dlx.facts import DataFacts
from dlx.tensors import TensorSpec
from dlx.tokenizers import Tokenizer, store

TYPES = types("augmentations")
CLASSES = 3
IMAGE = TensorSpec((3, 24, 20), "CHW")
WORDS = [f"word{i}" for i in range(16)]
TEXT = TensorSpec((None,), "T", "int64", vocab=(20,))
TARGET = torch.arange(12) % CLASSES


def example(name):
    """Return the YAML fragment in a leaf's docstring."""
    text = inspect.getdoc(leaf_class("augmentations", name))
    return yaml.safe_load(text.partition("Example:")[2])


def augmentation(value):
    return Augmentation.model_validate(value)


def always(name, **fields):
    """Return a leaf's example with p = 1, fitted to words and their thesaurus where it needs them."""
    leaf = augmentation({**augmentation(example(name)).model_dump(), "p": 1.0, **fields})
    word = Tokenizer.model_validate("word")
    stored = store(word, word.train([" ".join(WORDS)], Path()))
    facts = DataFacts({"text": TEXT}, ("text",), tokenizers={"text": stored})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "thesaurus.txt").write_text(", ".join(WORDS[:8]) + "\n" + ", ".join(WORDS[8:]))
        return leaf.fit(facts, Path(folder))


def images(batch=12, channels=3, height=24, width=20):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, channels, height, width, generator=generator)


def inputs():
    """Return batches of every kind that an augmentation may meet, each with its spec."""
    generator = torch.Generator().manual_seed(0)
    return [
        (images(), IMAGE),
        (images(channels=1), TensorSpec((1, 24, 20), "CHW")),
        (torch.randn(12, 5, generator=generator), TensorSpec((5,), "F")),
        (torch.randn(12, 4, 5, generator=generator), TensorSpec((4, 5), "TF")),
        (tokens(), TEXT),
    ]


def tokens(batch=12, longest=9):
    """Return ids of texts of 4 tokens and more, all different in a text, with padding."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.stack([torch.randperm(16, generator=generator)[:longest] + 4 for _ in range(batch)])
    length = torch.randint(4, longest + 1, (batch, 1), generator=generator)
    return ids.where(torch.arange(longest) < length, 0)


def accepted(leaf):
    """Return each (batch, spec) that a leaf does not refuse."""
    pairs = []
    for batch, x in inputs():
        try:
            leaf.validate_input(x)
        except ShapeError:
            continue
        pairs.append((batch, x))
    return pairs


def seeded(function, batch, target, seed=0):
    torch.manual_seed(seed)
    return function(batch, target)


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    leaf = augmentation(example(name))
    assert leaf.type == name
    assert augmentation(leaf.model_dump(mode="json", serialize_as_any=True)) == leaf


@pytest.mark.parametrize("name", TYPES)
def test_shape_and_type_are_kept_and_everything_is_finite(name):
    leaf = always(name)
    assert accepted(leaf), f"{name} accepts no kind of input"
    for batch, x in accepted(leaf):
        before = batch.clone()
        out, target = seeded(leaf.build(x, CLASSES), batch, TARGET)
        assert out.shape == batch.shape, x
        assert out.dtype == batch.dtype, x
        assert out.isfinite().all(), x
        assert not torch.equal(out, batch), "nothing was changed"
        assert torch.equal(batch, before), "the input was changed in place"
        assert len(target) == len(TARGET)


@pytest.mark.parametrize("name", TYPES)
def test_targets_stay_or_become_probabilities(name):
    leaf = always(name)
    for batch, x in accepted(leaf):
        _, target = seeded(leaf.build(x, CLASSES), batch, TARGET)
        if target.is_floating_point():
            assert target.shape == (12, CLASSES)
            torch.testing.assert_close(target.sum(1), torch.ones(12))
            assert target.min() >= 0
        else:
            assert torch.equal(target, TARGET)


@pytest.mark.parametrize("name", TYPES)
def test_probability_0_changes_nothing(name):
    leaf = always(name, p=0.0)
    for batch, x in accepted(leaf):
        out, target = seeded(leaf.build(x, CLASSES), batch, TARGET)
        assert torch.equal(out, batch), x
        assert torch.equal(target.argmax(1) if target.is_floating_point() else target, TARGET)


@pytest.mark.parametrize("name", TYPES)
def test_probability_one_half_changes_some_samples(name):
    leaf = always(name, p=0.5)
    batch, x = accepted(leaf)[0]
    batch = torch.cat([batch] * 4)
    out, _ = seeded(leaf.build(x, CLASSES), batch, torch.cat([TARGET] * 4))
    changed = (out != batch).flatten(1).any(1)
    assert 8 <= changed.sum() <= 40


@pytest.mark.parametrize("name", TYPES)
def test_the_seed_decides(name):
    leaf = always(name, p=0.5)
    for batch, x in accepted(leaf):
        function = leaf.build(x, CLASSES)
        first, second = seeded(function, batch, TARGET, 7), seeded(function, batch, TARGET, 7)
        rebuilt = seeded(leaf.build(x, CLASSES), batch, TARGET, 7)
        for again in (second, rebuilt):
            assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), x
        others = [seeded(function, batch, TARGET, seed)[0] for seed in range(8, 12)]
        assert any(not torch.equal(first[0], other) for other in others), x


def test_randaugment_stays_between_black_and_white_and_treats_gray_as_color():
    gray = images(batch=16, channels=1)
    function = augmentation({"type": "rand_augment", "n": 2, "m": 9}).build(IMAGE, 0)
    color, _ = seeded(function, gray.expand(-1, 3, -1, -1), None)
    out, _ = seeded(function, gray, None)
    assert torch.equal(out, color[:, :1])
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize(("name", "axis"), [("random_horizontal_flip", 3), ("random_vertical_flip", 2)])
def test_flip_is_torchs(name, axis):
    batch = images()
    out, _ = always(name).build(IMAGE, 0)(batch, None)
    assert torch.equal(out, batch.flip(axis))


def test_affine_without_any_part_is_the_identity():
    batch = images()
    out, _ = augmentation({"type": "random_affine", "p": 1.0}).build(IMAGE, 0)(batch, None)
    torch.testing.assert_close(out, batch, atol=1e-5, rtol=0)


def test_affine_shifts_no_further_than_told():
    point = torch.zeros(200, 1, 33, 33)
    point[:, :, 16, 16] = 1
    x = TensorSpec((1, 33, 33), "CHW")
    out, _ = seeded(augmentation({"type": "random_affine", "p": 1.0, "translate": 0.2}).build(x, 0), point, None)
    for axis in (2, 3):
        shift = out.sum(axis).squeeze(1).argmax(1) - 16
        assert 4 <= shift.abs().max() <= 7  # a fifth of 33 pixels


def test_rotation_turns_both_ways_by_at_most_the_angle():
    bar = torch.zeros(100, 1, 41, 41)
    bar[:, :, 20, 20:] = 1  # points to the right
    x = TensorSpec((1, 41, 41), "CHW")
    out, _ = seeded(augmentation({"type": "random_rotation", "degrees": 45, "p": 1.0}).build(x, 0), bar, None)
    rows, columns = torch.meshgrid(torch.arange(41.0) - 20, torch.arange(41.0) - 20, indexing="ij")
    weight = out.squeeze(1)
    angle = torch.rad2deg(torch.atan2((weight * rows).sum((1, 2)), (weight * columns).sum((1, 2))))
    assert angle.abs().max() <= 46
    assert angle.min() < -30
    assert angle.max() > 30


def test_crop_is_a_window_of_the_padded_image():
    batch = images(batch=30)
    out, _ = seeded(augmentation({"type": "random_crop", "padding": 3}).build(IMAGE, 0), batch, None)
    padded = torch.nn.functional.pad(batch, (3, 3, 3, 3))
    places = set()
    for image, whole in zip(out, padded, strict=True):
        found = [(i, j) for i in range(7) for j in range(7) if torch.equal(image, whole[:, i : i + 24, j : j + 20])]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 15


def test_a_smaller_crop_is_enlarged_to_the_size_of_the_image():
    ramp = torch.arange(20.0).expand(50, 3, 24, 20)
    out, _ = seeded(augmentation({"type": "random_crop", "size": 10}).build(IMAGE, 0), ramp, None)
    spread = (out.amax(3) - out.amin(3))[:, 0, 0]
    torch.testing.assert_close(spread, torch.full((50,), 9.0))
    assert len(out[:, 0, 0, 0].unique()) > 5


def test_blur_is_scipys():
    batch = images(batch=2, channels=1, height=40, width=40)
    x = TensorSpec((1, 40, 40), "CHW")
    out, _ = augmentation({"type": "random_gaussian_blur", "sigma": [1.5, 1.5], "p": 1.0}).build(x, 0)(batch, None)
    for image, blurred in zip(batch, out, strict=True):
        expected = gaussian_filter(image[0].numpy().astype(np.float64), 1.5, mode="mirror", radius=5)
        np.testing.assert_allclose(blurred[0].numpy(), expected, atol=1e-5)


def test_erasing_paints_one_rectangle_of_the_area_asked_for():
    batch = images(batch=100) * 0.5 + 0.25
    leaf = augmentation({"type": "random_erasing", "scale": [0.1, 0.3], "value": 1.0, "p": 1.0})
    out, _ = seeded(leaf.build(IMAGE, 0), batch, None)
    painted = (out == 1).all(1)
    assert torch.equal(out.where(~painted[:, None], 0), batch.where(~painted[:, None], 0))
    for mask in painted:
        assert mask.sum() == mask.any(1).sum() * mask.any(0).sum(), "not a rectangle"
    share = painted.float().mean((1, 2))
    assert 0.05 < share.min() < 0.2 < share.max() < 0.36


def test_color_jitter_of_brightness_is_a_factor():
    batch = images() * 0.5 + 0.05
    leaf = augmentation({"type": "color_jitter", "brightness": 0.4, "p": 1.0})
    out, _ = seeded(leaf.build(IMAGE, 0), batch, None)
    factor = (out / batch).flatten(1)
    torch.testing.assert_close(factor, factor.mean(1, keepdim=True).expand_as(factor), atol=1e-4, rtol=0)
    assert 0.6 <= factor.min() < 0.9
    assert 1.1 < factor.max() <= 1.4001


def test_noise_has_the_deviation_asked_for():
    batch = torch.zeros(400, 50)
    out, _ = seeded(augmentation({"random_gaussian_noise": 0.3}).build(TensorSpec((50,), "F"), 0), batch, None)
    assert out.std().item() == pytest.approx(0.3, rel=0.02)
    assert out.mean().item() == pytest.approx(0, abs=0.01)


def test_mixup_mixes_targets_as_it_mixes_samples():
    one_hot = torch.eye(CLASSES)[TARGET]
    out, target = seeded(augmentation({"mixup": 1.0}).build(TensorSpec((3,), "F"), CLASSES), one_hot, TARGET)
    torch.testing.assert_close(out, target)
    assert ((target > 0.05) & (target < 0.95)).any()


def test_mixup_of_numbers_and_of_probabilities():
    numbers = torch.linspace(0, 1, 12).reshape(12, 1)
    out, target = seeded(augmentation({"mixup": 1.0}).build(TensorSpec((1,), "F"), 0), numbers, numbers * 5 + 1)
    torch.testing.assert_close(target, out * 5 + 1)
    mix = augmentation({"mixup": 1.0}).build(TensorSpec((3,), "F"), CLASSES)
    out, target = mix(*mix(torch.eye(3)[TARGET], TARGET))
    torch.testing.assert_close(out, target)


def test_mixup_shares_are_beta_distributed():
    classes = 2000
    mix = augmentation({"mixup": 0.4}).build(TensorSpec((1,), "F"), classes)
    _, probabilities = seeded(mix, torch.ones(classes, 1), torch.arange(classes))
    own = probabilities.diagonal()
    assert own.mean().item() == pytest.approx(0.5, abs=0.02)
    assert own.var().item() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.05)


def test_cutmix_pastes_one_rectangle_and_its_share_is_the_targets():
    classes = torch.arange(12)
    batch = classes.float().reshape(12, 1, 1, 1).expand(12, 3, 24, 20)
    out, target = seeded(augmentation({"cutmix": 1.0}).build(IMAGE, 12), batch, classes)
    pasted_some = 0
    for own, image, probabilities in zip(classes, out, target, strict=True):
        pasted = image[0] != own
        assert pasted.sum() == pasted.any(1).sum() * pasted.any(0).sum(), "not a rectangle"
        assert probabilities[own].item() == pytest.approx(1 - pasted.float().mean().item(), abs=1e-6)
        pasted_some += bool(pasted.any())
    assert pasted_some >= 6


def test_cutmix_needs_classes():
    with pytest.raises(ShapeError, match="use mixup"):
        augmentation("cutmix").build(IMAGE, 0)


def texts(ids):
    """Return the tokens of every text without padding, which must stand at the end."""
    rows = [row.tolist() for row in ids]
    assert all(0 not in row[: len(row) - row.count(0)] for row in rows)
    return [row[: len(row) - row.count(0)] for row in rows]


def is_part_in_order(part, whole):
    rest = iter(whole)
    return all(token in rest for token in part)


def changed_texts(name, **fields):
    before = tokens(batch=200)
    after, _ = seeded(always(name, **fields).build(TEXT, 0), before, None)
    return list(zip(texts(before), texts(after), strict=True))


def test_deletion_removes_a_share_and_leaves_the_rest_in_order():
    for before, after in changed_texts("random_deletion", fraction=0.4):
        assert len(after) == len(before) - round(0.4 * len(before)) and is_part_in_order(after, before)
    assert all(len(after) == 1 for _, after in changed_texts("random_deletion", fraction=1.0))


def test_swap_exchanges_a_share_of_the_tokens():
    for before, after in changed_texts("random_swap", fraction=0.5):
        moved = sum(a != b for a, b in zip(before, after, strict=True))
        assert sorted(after) == sorted(before) and moved == round(0.5 * len(before))


def test_insertion_keeps_the_text_and_repeats_its_own_tokens():
    for before, after in changed_texts("random_insertion", fraction=0.3):
        more = max(1, round(0.3 * len(before)))
        assert len(after) == min(9, len(before) + more) and set(after) <= set(before)
        assert is_part_in_order(before[: len(after) - more], after)


def test_synonyms_come_from_the_same_line_of_the_thesaurus():
    word = Tokenizer.model_validate("word")
    codec = word.train([" ".join(WORDS)], Path())
    group = {i: int(name.removeprefix("word")) // 8 for i, name in enumerate(codec.tokens) if i >= 4}
    seen = set()
    for before, after in changed_texts("synonym_replacement", fraction=0.25):
        pairs = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert len(pairs) == max(1, round(0.25 * len(before))) and all(group[a] == group[b] for a, b in pairs)
        seen |= set(pairs)
    assert len(seen) > 60


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "thesaurus.txt: no such file"),
        ("word1, word2\nword3\n", "thesaurus.txt:2: 'word3' stands alone"),
        ("other, strange\nword1, odd\n", "no line holds two words that are tokens"),
    ],
)
def test_a_thesaurus_that_is_of_no_use_is_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "thesaurus.txt").write_text(content)
    word = Tokenizer.model_validate("word")
    stored = store(word, word.train([" ".join(WORDS)], Path()))
    with pytest.raises(DataError, match=words):
        augmentation({"synonym_replacement": "thesaurus.txt"}).fit(
            DataFacts({"text": TEXT}, ("text",), tokenizers={"text": stored}), tmp_path
        )


@pytest.mark.parametrize(
    ("value", "x", "words"),
    [
        ("random_swap", IMAGE, "takes text"),
        ("random_vertical_flip", TEXT, "takes images"),
        ("cutmix", TensorSpec((5,), "F"), "takes images"),
        ("mixup", TensorSpec((5,), "F", "int64", vocab=(3,)), "codes"),
        ({"type": "random_crop", "size": 40}, IMAGE, "cannot cut 40"),
        ({"type": "random_crop", "padding": 22, "padding_mode": "reflect"}, IMAGE, "cannot mirror"),
        ({"type": "random_crop", "padding": 2}, TensorSpec((3, None, None), "CHW"), "resize them first"),
        ({"type": "color_jitter", "hue": 0.1}, TensorSpec((1, 24, 20), "CHW"), "3 channels"),
        ({"type": "random_gaussian_blur", "sigma": [1.0, 9.0]}, IMAGE, "more than 27 pixels"),
        ("rand_augment", TensorSpec((4, 24, 20), "CHW"), "1 or 3 channels"),
    ],
)
def test_what_does_not_fit_is_refused(value, x, words):
    with pytest.raises(ShapeError, match=words):
        augmentation(value).validate_input(x)


def test_a_range_that_falls_is_an_error():
    with pytest.raises(ValueError, match="write the smaller number first"):
        augmentation({"type": "random_affine", "scale": [1.2, 0.8]})
