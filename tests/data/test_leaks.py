"""Leaks: equal samples in several splits, columns that identify rows, and columns that are the target."""

import numpy as np
import pytest

from dlx.data.leaks import find_leaks, is_identifier
from dlx.sources import Column

N = 300
GENERATOR = np.random.default_rng(5)
ROWS = {"train": np.arange(200), "val": np.arange(200, 250), "test": np.arange(250, 300)}


def numbers(values):
    return Column(np.asarray(values, dtype=float), "", "numeric")


def words(values):
    return Column(np.asarray(values, dtype=object), "", "categorical")


A, B, NOISE = numbers(GENERATOR.normal(size=N)), numbers(GENERATOR.normal(size=N)), numbers(GENERATOR.normal(size=N))


def test_data_without_leaks_are_not_warned_of():
    y = numbers(A.values + B.values + GENERATOR.normal(size=N) / 10)
    colors = words(GENERATOR.choice(["red", "blue", "gray"], N))
    assert find_leaks({"a": A, "b": B, "color": colors}, {"y": y}, ROWS) == []


@pytest.mark.parametrize(("part", "first"), [("test", 250), ("val", 200)])
def test_samples_of_train_that_stand_in_another_split_are_counted(part, first):
    values = A.values.copy()
    values[first : first + 20] = values[:20]
    (said,) = find_leaks({"a": numbers(values)}, {"y": B}, ROWS)
    assert f"20 of 50 {part} samples are equal to samples of train" in said
    assert "deduplicate: true" in said and said.startswith("20 samples stand in the data more than once")


@pytest.mark.parametrize("parts", [{"val"}, {"test"}, {"val", "test"}, set()])
def test_samples_are_compared_with_the_splits_that_there_are(parts):
    values = A.values.copy()
    values[200:] = values[:100]
    rows = {part: index if part in parts | {"train"} else index[:0] for part, index in ROWS.items()}
    found = find_leaks({"a": numbers(values)}, {"y": B}, rows)
    assert len(found) == bool(parts) and all(f"50 of 50 {part} samples" in found[0] for part in parts)


def test_a_few_categories_repeat_by_chance():
    assert find_leaks({"color": words(["red", "blue", "gray"] * 100)}, {"y": B}, ROWS) == []


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        ("row", numbers(np.arange(N)), True),
        ("row", numbers(GENERATOR.permutation(N) + 10_000), True),
        ("customer_id", numbers(GENERATOR.choice(10**9, N, replace=False)), True),
        ("amount", numbers(GENERATOR.choice(10**9, N, replace=False)), False),
        ("weight", A, False),
        ("code", words([f"C{i:04}" for i in range(N)]), True),
        ("code", words([f"C{i // 2:04}" for i in range(N)]), True),
        ("day", words([f"2024-01-{i:03}" for i in range(N)]), False),
        ("said", words([f"it was {i}" for i in range(N)]), False),
        ("color", words(["red", "blue", "gray"] * 100), False),
        ("row", numbers(np.arange(20)), False),
    ],
)
def test_identifiers(name, column, expected):
    assert is_identifier(name, column) is expected


def test_an_identifier_is_said_with_what_to_write():
    (said,) = find_leaks({"a": A, "code": words([f"C{i}" for i in range(N)])}, {"y": B}, ROWS)
    assert "column code" in said and "types: {code: ignore}" in said


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (A.values + B.values, "a + b = y: these columns add up to the target"),
        (B.values - A.values, "= y: these columns add up to the target"),
        (A.values * 0.453 + 10, "a is the target y, perhaps in another unit"),
    ],
)
def test_columns_that_are_the_target_are_said(target, said):
    (found,) = find_leaks({"a": A, "b": B, "noise": NOISE}, {"y": numbers(target)}, ROWS)
    assert said in found


def test_a_category_that_names_the_class_is_said():
    kinds = GENERATOR.integers(0, 3, N)
    inputs = {"a": A, "code": words(np.array(["k", "l", "m"], dtype=object)[kinds])}
    target = {"kind": words(np.array(["cat", "dog", "owl"], dtype=object)[kinds])}
    (said,) = find_leaks(inputs, target, ROWS)
    assert said.startswith("code says kind under another name")
    inputs["code"].values[0] = "l" if inputs["code"].values[0] != "l" else "k"
    assert find_leaks(inputs, target, ROWS) == []
