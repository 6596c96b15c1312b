import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.model_selection import StratifiedShuffleSplit

from dlx.data.splits import split_rows
from dlx.errors import DataError
from dlx.recipe.schema.data import Split
from dlx.sources import Column, Samples

N = 1000
LABELS = np.random.default_rng(3).choice(4, size=N, p=[0.6, 0.25, 0.1, 0.05])
"""Classes of very different sizes."""


def samples(n=N, splits=None, **columns):
    made = {"x": Column(np.arange(n, dtype=float), "", "numeric"), **columns}
    return Samples(made, ("x",), splits=splits)


def split(labels=LABELS, seed=0, data=None, **options):
    return split_rows(data or samples(), Split(seed=seed, **options), labels)


def assert_partition(splits, n=N):
    together = np.concatenate(list(splits.values()))
    assert len(together) == n
    assert np.array_equal(np.sort(together), np.arange(n))
    assert all(np.array_equal(rows, np.sort(rows)) for rows in splits.values())


@pytest.mark.parametrize("by", ["auto", "random", "stratified", "order"])
@pytest.mark.parametrize(("val", "test"), [(0.1, 0.1), (0.25, 0.0), (0, 0.3), (37, 0.1), (5, 200)])
def test_every_row_is_in_exactly_one_split_of_the_promised_size(by, val, test):
    splits = split(by=by, val=val, test=test)
    assert_partition(splits)
    expected_test = round(test * N) if test < 1 else test
    expected_val = round(val * (N - expected_test)) if val < 1 else val
    assert (len(splits["test"]), len(splits["val"])) == (expected_test, expected_val)


@pytest.mark.parametrize("by", ["auto", "stratified"])
@pytest.mark.parametrize("seed", range(5))
def test_each_class_has_its_proportion_within_one_sample(by, seed):
    splits = split(by=by, seed=seed, test=0.2, val=0)
    ours = np.bincount(LABELS[splits["test"]], minlength=4)
    exact = np.bincount(LABELS) * 0.2
    assert (np.abs(ours - exact) <= 1).all()
    reference = StratifiedShuffleSplit(1, test_size=0.2, random_state=seed)
    (_, theirs), *_ = reference.split(np.zeros(N), LABELS)
    assert (np.abs(ours - np.bincount(LABELS[theirs], minlength=4)) <= 1).all()


def test_val_is_stratified_within_what_test_leaves():
    splits = split(val=0.1, test=0.1)
    rest = np.concatenate([splits["train"], splits["val"]])
    assert (np.abs(np.bincount(LABELS[splits["val"]]) - np.bincount(LABELS[rest]) * 0.1) <= 1).all()


def test_random_does_not_stratify():
    off = [
        np.abs(
            np.bincount(LABELS[split(by="random", seed=s, test=0.2)["test"]], minlength=4) - np.bincount(LABELS) * 0.2
        )
        for s in range(10)
    ]
    assert np.max(off) > 1


@pytest.mark.parametrize("by", ["auto", "random"])
def test_the_seed_alone_decides(by):
    first, again, other = split(by=by, seed=1), split(by=by, seed=1), split(by=by, seed=2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["test"], other["test"])
    assert not np.array_equal(first["val"], other["val"])


def test_without_classes_auto_is_random():
    assert_partition(split(labels=None))
    with pytest.raises(DataError, match=r"stratified.*needs a target with classes"):
        split(labels=None, by="stratified")


def test_by_order_the_last_rows_judge():
    splits = split(by="order", val=0.2, test=0.1)
    assert splits["train"].tolist() == list(range(720))
    assert splits["val"].tolist() == list(range(720, 900))
    assert splits["test"].tolist() == list(range(900, 1000))


@pytest.mark.parametrize("by", ["auto", "random", "order"])
@pytest.mark.parametrize("folds", [2, 5, 7])
def test_folds_partition_what_test_leaves(by, folds):
    made = [split(by=by, folds=folds, fold=k + 1, test=0.1) for k in range(folds)]
    for splits in made:
        assert_partition(splits)
        assert np.array_equal(splits["test"], made[0]["test"])
    vals = np.concatenate([splits["val"] for splits in made])
    assert len(vals) == 900
    assert np.array_equal(np.sort(vals), np.setdiff1d(np.arange(N), made[0]["test"]))
    sizes = [len(splits["val"]) for splits in made]
    assert max(sizes) - min(sizes) <= 1


def test_folds_are_stratified():
    for fold in range(1, 6):
        splits = split(folds=5, fold=fold, test=0)
        assert (np.abs(np.bincount(LABELS[splits["val"]], minlength=4) - np.bincount(LABELS) / 5) <= 1).all()


def test_a_fold_that_does_not_exist():
    with pytest.raises(ValidationError, match="fold 6 of 5"):
        split(folds=5, fold=6)


def test_the_source_itself_names_the_test_split():
    given = np.array(["train"] * 800 + ["test"] * 200)
    splits = split(data=samples(splits=given), val=0.1, test=0.5)
    assert splits["test"].tolist() == list(range(800, 1000))
    assert len(splits["val"]) == 80
    assert_partition(splits)


def test_the_source_itself_names_every_split():
    given = np.array(["val", "train", "test", "train"] * 250)
    splits = split(data=samples(splits=given), val=0.5, test=0.5)
    assert all((given[rows] == name).all() for name, rows in splits.items())
    assert_partition(splits)


def test_a_column_names_every_split():
    said = np.array(["train", "val", "train", "test"] * 250, dtype=object)
    data = samples(part=Column(said, "", "categorical"))
    splits = split(data=data, by="column", column="part", val=0.5, test=0.5)
    assert all((said[rows] == name).all() for name, rows in splits.items())
    assert [len(splits[name]) for name in ("train", "val", "test")] == [500, 250, 250]


@pytest.mark.parametrize("column", [None, "nowhere"])
def test_by_column_needs_a_column(column):
    with pytest.raises(DataError, match=r"by: column.*one of x"):
        split(by="column", column=column)


def test_a_column_with_an_unknown_word_is_refused():
    said = np.array(["train", "val", "train", "tset"] * 250, dtype=object)
    with pytest.raises(DataError, match=r"row 4: part is .tset"):
        split(data=samples(part=Column(said, "", "categorical")), by="column", column="part")


def test_more_samples_than_there_are():
    with pytest.raises(DataError, match="asks for 1001 samples, but only 1000"):
        split(test=1001)


def test_nothing_left_to_train_on():
    with pytest.raises(DataError, match="no samples to train on"):
        split(test=1000)


def test_a_share_trains_each_class_in_proportion():
    whole, part, counted = split(), split(train=0.1), split(train=81)
    assert len(part["train"]) == len(counted["train"]) == 81 and set(part["train"]) < set(whole["train"])
    assert all(np.array_equal(part[name], whole[name]) for name in ("val", "test"))
    exact = np.bincount(LABELS[whole["train"]]) * 0.1
    assert (np.abs(np.bincount(LABELS[part["train"]], minlength=4) - exact) <= 1).all()


def test_a_series_trains_on_all_there_is():
    made = Samples({"x": Column(np.arange(9.0), "", "numeric")}, ("x",), time=np.stack([np.arange(9)] * 2, 1))
    with pytest.raises(DataError, match="neither series nor running text"):
        split_rows(made, Split(train=0.5), None)
