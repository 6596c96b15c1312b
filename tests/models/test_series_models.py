"""DLinear and NLinear against the code of their paper, and on a series like that of a transformer's temperature."""

import numpy as np
import pytest
import torch
from torch import nn

import dlx
from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.models import Model
from dlx.tensors import TensorSpec

HISTORY, HORIZON, CHANNELS = 48, 12, 3
HISTORY_SPEC = TensorSpec((HISTORY, CHANNELS), "TF")
TARGET = TensorSpec((HORIZON, 2), "TF")


def network(model, outputs=1):
    spec = Model.model_validate(model)
    layers = [*spec.architecture(HISTORY_SPEC), *spec.forecast_head(TARGET, outputs)]
    tree = Layer.model_validate(layers)
    assert tree.shape(HISTORY_SPEC).dims == (HORIZON * 2 * outputs,)
    return tree.build(HISTORY_SPEC)


def linears(module):
    return [part for part in module.modules() if isinstance(part, nn.Linear)]


def moving_average(x_BTF, kernel):
    """The series_decomp of the paper's code."""
    front = x_BTF[:, 0:1].repeat(1, (kernel - 1) // 2, 1)
    end = x_BTF[:, -1:].repeat(1, (kernel - 1) // 2, 1)
    x_BTF = torch.cat([front, x_BTF, end], dim=1)
    return nn.AvgPool1d(kernel_size=kernel, stride=1)(x_BTF.permute(0, 2, 1)).permute(0, 2, 1)


def test_dlinear_is_the_papers():
    module = network({"dlinear": 25})
    trend_map, remainder_map = linears(module)
    x_BTF = torch.randn(5, HISTORY, CHANNELS)
    trend_BTF = moving_average(x_BTF, 25)[..., :2]
    remainder_BTF = x_BTF[..., :2] - trend_BTF
    expected = trend_map(trend_BTF.transpose(1, 2)) + remainder_map(remainder_BTF.transpose(1, 2))
    torch.testing.assert_close(module(x_BTF), expected.transpose(1, 2).flatten(1))


def test_nlinear_is_the_papers_and_follows_a_shift():
    module = network("nlinear")
    (linear,) = linears(module)
    x_BTF = torch.randn(5, HISTORY, CHANNELS)
    last_B1F = x_BTF[:, -1:, :2]
    expected = linear((x_BTF[..., :2] - last_B1F).transpose(1, 2)).transpose(1, 2) + last_B1F
    torch.testing.assert_close(module(x_BTF), expected.flatten(1))
    torch.testing.assert_close(module(x_BTF + 7), module(x_BTF) + 7)


@pytest.mark.parametrize("model", ["dlinear", "nlinear"])
def test_quantiles_of_a_value_lie_side_by_side_and_channels_do_not_mix(model):
    module = network(model, outputs=3)
    x_BTF = torch.randn(2, HISTORY, CHANNELS)
    y_BSFQ = module(x_BTF).reshape(2, HORIZON, 2, 3)
    other = x_BTF.clone()
    other[..., 1] += torch.randn(HISTORY)
    changed_BSFQ = module(other).reshape(2, HORIZON, 2, 3)
    torch.testing.assert_close(changed_BSFQ[:, :, 0], y_BSFQ[:, :, 0])
    assert not torch.isclose(changed_BSFQ[:, :, 1], y_BSFQ[:, :, 1]).any()
    swapped = module(x_BTF[..., [1, 0, 2]]).reshape(2, HORIZON, 2, 3)
    torch.testing.assert_close(swapped, y_BSFQ[:, :, [1, 0]])


def test_what_is_no_history_is_refused():
    for x in (TensorSpec((4,), "F"), {"history": HISTORY_SPEC, "future": HISTORY_SPEC}):
        with pytest.raises(ShapeError, match="reads the history of a series"):
            Model.model_validate("dlinear").tree(x)


RECIPE = """
task: {forecasting: {loss: mse, scaling: series, metrics: [{type: mse, standardized: true}]}}
data:
  source: {series: {path: s.csv, time: date, target: [HUFL, OT], history: 336, horizon: 96}}
  split: {val: 0.2, test: 0.2}
model: MODEL
optimizer: {adam: {lr: 0.005}}
train: {epochs: 5, batch_size: 32}
"""


@pytest.mark.parametrize("model", ["dlinear", "nlinear"])
def test_a_daily_cycle_is_forecast_for_four_days_in_ten_lines(tmp_path, monkeypatch, model):
    """Hours of a cycle of a day on a slow walk: half of the variance of the noise, and little more, is left."""
    monkeypatch.chdir(tmp_path)
    rng, hours = np.random.default_rng(0), np.arange(2400)
    times = np.datetime64("2016-07-01T00:00:00") + hours.astype("timedelta64[h]")
    daily = np.sin(2 * np.pi * hours[:, None] / 24 + np.array([0.0, 1.0])) * np.array([10.0, 3.0])
    values = daily + rng.normal(size=(2400, 2)) + 50
    lines = [f"{time},{a:.4f},{b:.4f}" for time, (a, b) in zip(times, values, strict=True)]
    (tmp_path / "s.csv").write_text("date,HUFL,OT\n" + "\n".join(lines) + "\n")
    (tmp_path / "r.yaml").write_text(RECIPE.replace("MODEL", model))
    assert len(RECIPE.strip().splitlines()) <= 10
    metrics = dlx.train("r.yaml").metrics
    noise = np.mean(1 / values.var(0))  # of the noise, in units of the variance of each column
    assert noise < metrics["test/mse"] < 1.5 * noise
    assert metrics["test/mse.naive"] > 10 * noise
