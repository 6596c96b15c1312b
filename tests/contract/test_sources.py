"""Every source: its documentation is true, its columns agree, and samples of another seed are others."""

from pathlib import Path

import numpy as np
import pytest
from kit import example, load_source

from dlx.component import leaf_class, types
from dlx.sources import Source

TYPES = types("sources")


def made(name):
    return Source.model_validate(example("sources", name))


def needs_no_file(name):
    return not {"path", "name"} & set(type(made(name)).model_fields) and not made(name).files(Path())


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    assert made(name).type == name
    assert Source.model_validate(made(name).model_dump(mode="json", serialize_as_any=True)) == made(name)


@pytest.mark.parametrize("name", [name for name in TYPES if needs_no_file(name)])
def test_source_without_files_loads_alike_twice(name):
    first, second = made(name).load(Path()), made(name).load(Path())
    assert len({len(column) for column in first.columns.values()}) == 1
    assert set(first.inputs) | {first.target} == set(first.columns)
    for field, column in first.columns.items():
        assert np.array_equal(column.values, second.columns[field].values)
        assert column.values.ndim == 1 + len(column.axes)
        if column.classes:
            assert set(np.unique(column.values)) == set(range(len(column.classes)))


@pytest.mark.parametrize(
    "name", [n for n in TYPES if needs_no_file(n) and "seed" in leaf_class("sources", n).model_fields]
)
def test_another_seed_gives_other_samples(name):
    fields = (
        {**made(name).model_dump(), "noise": 0.1}
        if "noise" in type(made(name)).model_fields
        else made(name).model_dump()
    )
    one, other = (load_source({**fields, "seed": seed}) for seed in (1, 2))
    assert any(not np.array_equal(one.columns[f].values, other.columns[f].values) for f in one.inputs)
