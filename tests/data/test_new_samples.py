"""Samples that come after training: categories that it never saw, and columns whose names mean something inside."""

import numpy as np
import pytest
import torch

from dlx.data.encode_new import encode_new_inputs
from dlx.data.prepare import prepare
from dlx.errors import DataError
from dlx.layers.columns.module import Embeddings, OneHot
from dlx.recipe.schema.data import Data
from dlx.sources import Column


def prepared(folder, header="city,size,cost", **source):
    rows = [f"{'Ulm' if i % 2 else 'Bonn'},{i / 3:.2f},{i * 37 % 60}" for i in range(60)]
    (folder / "t.csv").write_text("\n".join([header, *rows]) + "\n")
    table = {"path": "t.csv", "target": header.rsplit(",", 1)[1], **source}
    return prepare(Data.model_validate({"source": {"table": table}}), folder, "regression")


def test_categories_that_training_never_saw_are_counted(tmp_path):
    facts = prepared(tmp_path).facts
    columns = {
        "city": Column(np.array(["Ulm", "Kiel", "Jena", "Kiel"], dtype=object), "", "categorical"),
        "size": Column(np.ones(4), "", "numeric"),
    }
    arrays, (said,) = encode_new_inputs(columns, facts)
    assert arrays["categorical"][:, 0].tolist() == [2, 0, 0, 0]
    assert "city" in said and "3 of 4" in said and "Kiel" in said
    columns["city"] = Column(np.array(["Ulm", "Bonn", None, "Ulm"], dtype=object), "", "categorical")
    assert encode_new_inputs(columns, facts)[1] == []


@pytest.mark.parametrize("build", [lambda u: Embeddings([4], [5], [u]), lambda u: OneHot([4], [u])])
def test_a_category_that_was_never_trained_is_the_mean_of_those_that_were(build):
    module = build(True).eval()
    known = module(torch.tensor([[1], [2], [3]]))
    assert torch.allclose(module(torch.tensor([[0]])), known.mean(0, keepdim=True))
    trained = build(False).eval()
    seen = trained(torch.tensor([[1], [2], [3]]))
    assert not torch.allclose(trained(torch.tensor([[0]])), seen.mean(0, keepdim=True))


@pytest.mark.parametrize("name", ["target", "weight", "rows", "numeric", "categorical"])
def test_a_column_of_text_may_not_have_a_name_that_batches_use(name, tmp_path):
    with pytest.raises(DataError, match=f"'{name}'"):
        prepared(tmp_path, f"{name},size,cost", types={name: "text"})
    assert prepared(tmp_path, f"{name},size,cost").facts.fields["categorical"].names == (name,)


def test_another_seed_of_the_split_changes_the_rows_alone(tmp_path):
    prepared(tmp_path)

    def rows(seed):
        source = {"table": {"path": "t.csv", "target": "cost"}}
        data = Data.model_validate({"source": source, "split": {"seed": seed}})
        return prepare(data, tmp_path, "regression").rows

    assert np.array_equal(rows(0)["test"], rows(0)["test"]) and not np.array_equal(rows(0)["test"], rows(1)["test"])


def test_digits_that_training_cannot_hold_are_said(tmp_path):
    rows = [f"{10_000_000 + i * 0.01:.2f},{i * 37 % 60}" for i in range(60)]
    (tmp_path / "t.csv").write_text("stamp,cost\n" + "\n".join(rows) + "\n")
    source = {"table": {"path": "t.csv", "target": "cost"}}
    facts = prepare(Data.model_validate({"source": source}), tmp_path, "regression").facts
    (said,) = facts.warnings
    assert "stamp" in said
    assert not prepared(tmp_path).facts.warnings
