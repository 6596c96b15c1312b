"""Classification and regression: what they predict, measure and refuse."""

import pytest
import torch
from kit import build, make_plan, measure, refusals

from dlx.facts import DataFacts
from dlx.tasks import Task
from dlx.tensors import TensorSpec


def plan_on(data, task, folder):
    recipe = {"task": task, "data": {"source": {"sklearn": data}}, "model": {"mlp": {"hidden": [32]}}}
    return make_plan({**recipe, "hardware": {"accelerator": "cpu", "num_threads": 1}}, folder=folder)


def test_classification_predicts_probabilities_of_every_class(tmp_path):
    module, batches = build(plan_on("iris", "classification", tmp_path))
    batch = next(iter(batches["test"]))
    probabilities = module.eval().predict_step(batch, 0)
    assert torch.allclose(probabilities.sum(1), torch.ones(len(probabilities)))
    assert torch.equal(probabilities, torch.softmax(module(module.input_of(batch)), 1))


def test_regression_learns_in_deviations_and_measures_in_units(tmp_path):
    plan = plan_on("diabetes", {"type": "regression", "metrics": ["mse"]}, tmp_path)
    module, batches = build(plan)
    batch = next(iter(batches["test"]))
    stats = plan.network_facts.fields["target"].stats
    output = module.eval()(module.input_of(batch))
    assert torch.allclose(module.predict(output, batch), output.double() * stats.std[0] + stats.mean[0])
    metrics = measure(plan, module, batches)
    error = (module.predict(output, batch) - batch["target"]).square().mean()
    assert metrics["test/mse"] == pytest.approx(error.item(), rel=1e-4)
    assert metrics["test/loss"] == pytest.approx(error.item() / stats.std[0] ** 2, rel=1e-4)


def test_classification_needs_two_classes():
    facts = DataFacts({"x": TensorSpec((2,), "F"), "target": TensorSpec((), "", "int64", vocab=(1,))}, ("x",), "target")
    (problem,) = refusals(Task.model_validate("classification"), facts)
    assert "at least two classes" in problem.message
