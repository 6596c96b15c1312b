"""Columns of a table, held against scikit-learn."""

import numpy as np
import pytest
import torch
from layer_inputs import TABLE, built
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from dlx.layers import Layer
from dlx.tensors import Stats, TensorSpec


@pytest.fixture(scope="module")
def numbers():
    generator = np.random.default_rng(0)
    normal, skewed, few = generator.normal(3, 2, 500), generator.lognormal(size=500), generator.integers(0, 3, 500)
    return np.stack([normal, skewed, few], 1).astype(np.float32)


def table_of(numbers, missing=()):
    quantiles = np.quantile(numbers, np.linspace(0, 1, 101), axis=0).T
    stats = Stats(
        mean=tuple(numbers.mean(0).tolist()),
        std=tuple(numbers.std(0).tolist()),
        quantiles=tuple(tuple(q) for q in quantiles.tolist()),
        missing=tuple(i in missing for i in range(3)),
    )
    return TensorSpec((3,), "F", stats=stats)


def test_columns_standardize_as_scikit_learn(numbers):
    module = built({"columns": "standardize"}, table_of(numbers))
    expected = StandardScaler().fit_transform(numbers)
    assert np.allclose(module(torch.from_numpy(numbers)).numpy(), expected, atol=1e-4)


def test_columns_map_quantiles_as_scikit_learn(numbers):
    spread = QuantileTransformer(n_quantiles=101).fit(numbers)
    beyond = np.concatenate([numbers, numbers[:50] * 3 - 5, numbers[:1] * 0 + 1e6])
    module = built({"columns": "quantile_uniform"}, table_of(numbers))
    share = (module(torch.from_numpy(beyond)).numpy() + 1) / 2
    expected = spread.transform(beyond)
    assert np.allclose(share[:, :2], expected[:, :2], atol=2e-3)
    middle = beyond[:, 2] == 1  # at a frequent minimum or maximum scikit-learn goes to the end, columns to the middle
    assert np.allclose(share[middle, 2], expected[middle, 2], atol=2e-3)
    assert share[beyond[:, 2] == 2, 2] == pytest.approx((beyond[:500, 2] <= 1).mean() / 2 + 0.5, abs=0.02)


def test_columns_make_a_skewed_column_normal(numbers):
    y = built({"columns": "quantile_normal"}, table_of(numbers))(torch.from_numpy(numbers))[:, 1]
    assert y.mean().item() == pytest.approx(0, abs=0.05)
    assert y.std().item() == pytest.approx(1, abs=0.05)
    assert y.abs().max() < 3.1


@pytest.mark.parametrize("numeric", ["standardize", "quantile_uniform", "quantile_normal"])
def test_columns_mark_what_is_missing(numeric, numbers):
    x = table_of(numbers, missing=(1,))
    rows = torch.tensor([[1.0, torch.nan, 2.0], [torch.nan, 1.0, 0.0]])
    y = built({"columns": numeric}, x)(rows)
    assert y.shape == (2, 4)
    assert y[0, 1] == 0
    assert y[1, 0] == 0
    assert y[:, 3].tolist() == [1.0, 0.0]
    assert torch.isfinite(y).all()


def test_columns_one_hot_and_embeddings():
    codes = torch.tensor([[0, 6], [3, 2]])
    x = TABLE["categorical"]
    one_hot = torch.nn.functional.one_hot
    expected = torch.cat([one_hot(codes[:, 0], 4), one_hot(codes[:, 1], 7)], 1).float()
    assert torch.equal(built({"columns": {"embedding": "one_hot"}}, x)(codes), expected)
    module = built({"columns": {"embedding": 5}}, x)
    tables = [p.detach() for p in module.parameters()]
    assert torch.equal(module(codes), torch.cat([tables[0][codes[:, 0]], tables[1][codes[:, 1]]], 1))
    assert Layer.model_validate({"columns": {}}).shape(TABLE).dims == (3 + 1 + 3 + 5,)


def test_columns_keep_their_statistics_in_the_checkpoint(numbers):
    x = table_of(numbers)
    state = built({"columns": "standardize"}, x).state_dict()
    assert torch.allclose(state["numeric.mean"], torch.tensor(x.stats.mean))
