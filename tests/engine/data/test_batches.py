import dataclasses
import warnings

import numpy as np
import pytest
import torch

from dlx.augmentations import Augmentation
from dlx.engine.data.batches import (
    Batches,
    build_augmentation,
    build_transforms,
    bytes_to_floats,
    move_to_device,
    permutation,
)
from dlx.facts import DataFacts
from dlx.sources import LazySamples
from dlx.tensors import Stats, TensorSpec
from dlx.transforms import Transform

N = 41
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 1, 6, 6), dtype=np.uint8)
STATS = Stats(mean=(100.0,), std=(50.0,), low=(0.0,), high=(255.0,))
FACTS = DataFacts(
    {"image": TensorSpec((1, 6, 6), "CHW", "uint8", stats=STATS), "target": TensorSpec((), "", "int64", vocab=(3,))},
    ("image",),
    "target",
    ("a", "b", "c"),
)
ARRAYS = {"image": IMAGES, "target": np.arange(N) % 3}


class OnDisk(LazySamples):
    """Decodes nothing, one sample at a time."""

    shape, dtype = (1, 6, 6), "uint8"

    def __len__(self):
        return N

    def __getitem__(self, row):
        return IMAGES[row]


def batches(lazy=False, **changes):
    arrays = {**ARRAYS, "image": OnDisk(), "target": torch.from_numpy(ARRAYS["target"])} if lazy else ARRAYS
    fields = arrays if lazy else move_to_device(arrays, torch.device("cpu"))
    return Batches(fields, **{"rows": np.arange(N), "size": 8, "seed": 0, "shuffle": True, **changes})


def augmented(lazy=False, **changes):
    steps = [
        bytes_to_floats(FACTS),
        build_augmentation([Augmentation.model_validate({"random_gaussian_noise": {"p": 1.0}})], FACTS),
    ]
    return batches(lazy, transforms=steps, random=True, **changes)


def same(first, second):
    return len(first) == len(second) and all(
        a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in zip(first, second, strict=True)
    )


def test_decoding_draws_nothing_from_the_generator_of_training():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert same(list(batches(lazy=True)), list(batches()))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("n", [1, 2, 100, 10_001])
def test_an_order_is_a_permutation_that_follows_from_seed_and_epoch(n):
    assert np.array_equal(np.sort(permutation(3, 5, n)), np.arange(n))
    np.random.seed(1)
    assert np.array_equal(permutation(3, 5, n), permutation(3, 5, n))


def test_orders_differ_by_seed_and_by_epoch():
    made = {tuple(permutation(seed, epoch, 100)) for seed in range(10) for epoch in range(10)}
    assert len(made) == 100


@pytest.mark.parametrize("lazy", [False, True])
def test_an_epoch_has_the_same_batches_whenever_it_comes(lazy):
    made = augmented(lazy)
    first = list(made)
    made.set_epoch(1)
    second = list(made)
    assert not same(first, second)
    made.set_epoch(0)
    assert same(list(made), first)
    assert same(list(augmented(lazy, epoch=1)), second)


@pytest.mark.parametrize("size", [1, 7, 8, 40, 41, 100])
@pytest.mark.parametrize("shuffled", [False, True])
def test_an_epoch_covers_every_row_but_a_single_leftover_in_training(size, shuffled):
    made = batches(size=size, shuffle=shuffled)
    sizes = [len(b["rows"]) for b in made]
    rows = torch.cat([b["rows"] for b in made]).tolist()
    dropped = shuffled and size > 1 and N % size == 1 and size < N
    assert len(sizes) == len(made)
    assert len(set(rows)) == len(rows) == N - dropped
    assert all(n == size for n in sizes[:-1])
    assert dropped == (size in (8, 40) and shuffled)
    assert shuffled or rows == list(range(N))


def test_a_single_sample_is_still_a_batch_where_there_is_no_other():
    assert [len(b["rows"]) for b in batches(rows=np.array([5]))] == [1]


def test_a_batch_holds_the_samples_that_its_rows_name():
    for batch in batches(rows=np.arange(3, 30)):
        assert torch.equal(batch["image"], torch.from_numpy(IMAGES)[batch["rows"]])
        assert torch.equal(batch["target"], batch["rows"] % 3)
        assert batch["rows"].min() >= 3 and batch["rows"].max() < 30


def test_an_augmentation_follows_from_seed_epoch_and_batch_alone():
    first = list(augmented())
    torch.manual_seed(99)
    torch.rand(7)
    assert same(first, list(augmented()))
    # The same rows under another epoch, seed or batch number are changed in another way.
    plain = {"shuffle": False, "rows": np.tile(np.arange(8), 2)}
    one, two = augmented(**plain)
    assert not torch.equal(one["image"], two["image"])
    assert not torch.equal(one["image"], next(iter(augmented(**plain, epoch=1)))["image"])
    assert not torch.equal(one["image"], next(iter(augmented(**plain, seed=1)))["image"])


def test_batches_leave_the_global_generator_as_it_was():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for _ in augmented():
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_the_caller_draws_between_batches_changes_nothing():
    made = []
    for batch in augmented():
        torch.rand(3)
        made.append(batch)
    assert same(made, list(augmented()))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("make", [batches, augmented])
def test_samples_on_disk_give_the_same_bits_as_samples_in_memory(make, workers):
    for epoch in range(2):
        assert same(list(make(epoch=epoch)), list(make(lazy=True, epoch=epoch, num_workers=workers)))


def test_samples_of_a_read_only_cache_warn_of_nothing():
    class Mapped(OnDisk):
        def __getitem__(self, row):
            image = IMAGES[row].view()
            image.flags.writeable = False  # as np.load gives it with mmap_mode="r"
            return image

    made = batches(lazy=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(list(dataclasses.replace(made, fields={**made.fields, "image": Mapped()})), list(made))


def test_steps_never_change_the_data():
    made = augmented()
    list(made)
    assert np.array_equal(made.fields["image"].numpy(), IMAGES)


def transforms(*values):
    return [Transform.model_validate(v) for v in values]


def test_transforms_come_in_order_each_seeing_what_the_last_one_left():
    normalize, clip = {"normalize": {"mean": [100.0], "std": [50.0]}}, {"clip": {"min": -1.0, "max": 1.0}}
    steps = build_transforms(transforms(normalize, clip), FACTS)
    other = build_transforms(transforms(clip, normalize), FACTS)
    (batch,) = batches(size=N, shuffle=False, transforms=[bytes_to_floats(FACTS), *steps])
    raw = torch.from_numpy(IMAGES).float()
    assert torch.allclose(batch["image"], ((raw - 100) / 50).clamp(-1, 1), atol=1e-5)
    (reversed_batch,) = batches(size=N, shuffle=False, transforms=[bytes_to_floats(FACTS), *other])
    assert not torch.allclose(reversed_batch["image"], batch["image"])


def test_bytes_become_floats_in_the_same_units():
    (batch,) = batches(size=N, shuffle=False, transforms=[bytes_to_floats(FACTS)])
    assert torch.equal(batch["image"], torch.from_numpy(IMAGES).float())
    assert batch["target"].dtype == torch.int64


def test_an_augmentation_sees_images_between_0_and_1_and_the_scale_comes_back():
    seen = []

    class Watching(Augmentation):
        """Looks, and changes nothing."""

        type: str = "watching"

        def build(self, x, classes):
            return lambda image, target: (seen.append(image.clone()) or image, target)

    (batch,) = batches(
        size=N, transforms=[bytes_to_floats(FACTS), build_augmentation([Watching()], FACTS)], random=True
    )
    assert seen[0].min() >= 0 and 0.9 < seen[0].max() <= 1
    assert torch.allclose(batch["image"], torch.from_numpy(IMAGES)[batch["rows"]].float(), atol=1e-4)


def test_a_table_is_not_scaled_for_augmentation():
    facts = dataclasses.replace(FACTS, fields={**FACTS.fields, "image": TensorSpec((3,), "F", stats=STATS)})
    step = build_augmentation([Augmentation.model_validate({"random_gaussian_noise": {"p": 0.0}})], facts)
    x = torch.tensor([[300.0, -2.0, 0.1]])
    assert torch.equal(step({"image": x.clone()})["image"], x)


def test_a_batch_may_have_so_many_samples_of_a_class():
    made = batches(size=6, samples_per_class=3)
    assert len(made) == len(batches(size=6))
    for batch in made:
        classes = batch["target"].tolist()
        assert len(set(classes)) == 2 and classes == [classes[0]] * 3 + [classes[3]] * 3
    assert same(list(made)[2:], list(made.iterate_from(2)))
    first = list(made)
    made.set_epoch(1)
    assert not same(first, list(made))
