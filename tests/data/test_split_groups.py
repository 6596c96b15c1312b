"""Splits that keep samples together or leave them out: groups, equal rows, the source's own val samples, limits."""

import numpy as np
import pytest
from kit import load_source

from dlx.data.splits import limit_rows, split_documents, split_rows
from dlx.errors import DataError
from dlx.recipe.schema.data import Split
from dlx.sources import Column, Samples

N = 400
GENERATOR = np.random.default_rng(11)
SHOPS = np.array([f"shop {i}" for i in GENERATOR.integers(0, 40, N)], dtype=object)
LABELS = GENERATOR.choice(3, size=N, p=[0.7, 0.2, 0.1])


def samples(shops=SHOPS, **more):
    columns = {"x": Column(np.arange(len(shops), dtype=float), "", "numeric"), "shop": Column(shops, "", "categorical")}
    return Samples(columns, ("x",), **more)


def shops_of(rows):
    return {part: set(SHOPS[numbers]) for part, numbers in rows.items()}


@pytest.mark.parametrize("by", ["auto", "random", "order"])
@pytest.mark.parametrize("labels", [None, LABELS])
def test_no_group_is_in_two_splits(by, labels):
    rows = split_rows(samples(), Split(by=by, group="shop", val=0.2, test=0.2), labels)
    parts = shops_of(rows)
    assert not parts["train"] & parts["test"] and not parts["train"] & parts["val"] and not parts["val"] & parts["test"]
    assert sorted(np.concatenate(list(rows.values()))) == list(range(N))
    assert abs(len(rows["test"]) - 0.2 * N) <= 10


@pytest.mark.parametrize("labels", [None, LABELS])
def test_folds_keep_groups_together_and_cover_all(labels):
    folds = [split_rows(samples(), Split(group="shop", test=0.2, folds=4, fold=f), labels) for f in (1, 2, 3, 4)]
    for rows in folds:
        assert not shops_of(rows)["train"] & shops_of(rows)["val"]
    judged = np.concatenate([rows["val"] for rows in folds])
    assert sorted(judged) == sorted(np.concatenate([folds[0]["train"], folds[0]["val"]]))


def test_a_row_without_a_group_is_its_own():
    shops = np.array(["a", "b"] * 50 + [None] * 100, dtype=object)
    rows = split_rows(samples(shops), Split(group="shop", val=0, test=0.25), None)
    assert 0 < sum(shops[i] is None for i in rows["test"]) < 100


def test_a_group_may_be_a_column_that_is_no_input():
    left = {"shop": Column(SHOPS, "", "categorical")}
    rows = split_rows(
        Samples({"x": Column(np.arange(N, dtype=float), "", "numeric")}, ("x",), left_out=left),
        Split(group="shop"),
        None,
    )
    assert not shops_of(rows)["train"] & shops_of(rows)["test"]


def test_a_group_that_is_not_there_or_means_nothing():
    with pytest.raises(DataError, match=r"group: there is no field 'store'; there are x, shop"):
        split_rows(samples(), Split(group="store"), None)
    with pytest.raises(DataError, match="`group` keeps samples together"):
        split_rows(samples(time=np.stack([np.arange(N)] * 2, axis=1)), Split(group="shop"), None)
    with pytest.raises(DataError, match="`group` keeps samples together"):
        split_documents(samples(), ["text"], Split(group="shop"))


def test_folds_take_the_val_samples_of_the_source_in():
    given = np.array(["train"] * 200 + ["val"] * 100 + ["test"] * 100, dtype=object)
    folds = [split_rows(samples(splits=given), Split(folds=5, fold=f), None) for f in range(1, 6)]
    assert sorted(np.concatenate([rows["val"] for rows in folds])) == list(range(300))
    assert all(sorted(np.concatenate([r["train"], r["val"]])) == list(range(300)) for r in folds)
    assert all(list(r["test"]) == list(range(300, 400)) for r in folds)


def test_a_limit_is_drawn_from_all_rows_each_class_in_proportion():
    labels = np.repeat([0, 1, 2, 3], 100)
    rows = np.arange(400)
    few = limit_rows(rows, 40, labels, 0)
    assert np.bincount(labels[few]).tolist() == [10, 10, 10, 10] and np.array_equal(few, np.sort(few))
    assert limit_rows(rows, 40, None, 0).max() > 300
    assert not np.array_equal(limit_rows(rows, 40, labels, 1), few)
    assert limit_rows(rows, None, labels, 0) is rows and limit_rows(rows, 400, labels, 0) is rows


def test_equal_rows_are_used_once(tmp_path):
    from dlx.data.prepare import prepare
    from dlx.recipe.schema.data import Data

    lines = [f"{i % 60},{i % 60 * 2}" for i in range(180)]
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(lines) + "\n")
    source = {"table": {"path": "t.csv", "target": "b"}}
    assert len(load_source(source, tmp_path).columns["a"]) == 180

    def counts(**split):
        data = Data.model_validate({"source": source, "split": split})
        return sum(prepare(data, tmp_path, "regression").facts.counts.values())

    assert counts(deduplicate=True) == 60
    assert counts() == 180
