"""How evenly experts are used is a metric, a claim and a picture."""

import pytest
import torch
from kit import quiet

import dlx
from dlx.errors import RecipeError
from dlx.layers import Layer
from dlx.plan import make
from dlx.tensors import TensorSpec

EXPERTS = "{mixture_of_experts: {num_experts: 4, top_k: 1, expert: {linear: 16}}}"
RECIPE = f"""
name: experts
task: classification
data: {{source: {{sklearn: digits}}, transforms: [normalize]}}
model: {{type: layers, layers: [flatten, {{linear: 16}}, relu, {EXPERTS}]}}
train: {{epochs: 1, batch_size: 128}}
hardware: {{accelerator: cpu, num_threads: 1, precision: 32}}
expect: {{test/expert_balance: [0, 1]}}
"""


def test_the_balance_of_experts_is_measured_claimed_and_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    run = dlx.train(dlx.load("r.yaml"), console=quiet())
    assert run.claims_hold and "experts.png" in {path.name for path in run.figures}
    assert 0 <= run.metrics["val/expert_balance"] <= 1


def test_training_does_not_count():
    layer = Layer.model_validate({"mixture_of_experts": {"num_experts": 3, "top_k": 2, "expert": {"linear": 8}}})
    module, x = layer.build(TensorSpec((8,), "F")), torch.randn(10, 8)
    module.train()(x)
    assert module.metric_counts.sum() == 0 and "metric_counts" not in module.state_dict()
    module.eval()(x)
    chosen = module.router(x).topk(2).indices.flatten().bincount(minlength=3)
    assert torch.equal(module.metric_counts, chosen.float())
    assert module.compute_metrics(torch.tensor([4.0, 4.0, 1.0]))["expert_balance"] == pytest.approx(1 / 3)


def test_without_experts_nothing_can_be_claimed_of_them(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE.replace(EXPERTS, "relu"))
    with pytest.raises(RecipeError) as refused:
        make(dlx.load(tmp_path / "r.yaml"))
    assert "no metric test/expert_balance" in refused.value.diagnostics[0].message
