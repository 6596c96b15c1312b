"""Every task is exported as one function from samples to predictions, with a free batch, or says why it cannot be."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from kit import build, example
from task_plans import planned

from dlx.component import types
from dlx.engine.export.function import RunFunction, dynamic_shapes, traced_batch
from dlx.engine.export.proof import artifact_predictions, input_arrays, run_predictions
from dlx.exporters import Exportable
from dlx.exporters.onnx.graph import write_graph
from dlx.exporters.onnx.runtime import OnnxRuntime

ALWAYS = {"token_classification"}
"""Sequences that are padded to one length, as their network steps through them."""
DAYS = 8
"""The default suite exports one task in so many besides, others every day; the slow suite exports all."""
EXPORTED = [
    pytest.param(
        name, marks=[] if name in ALWAYS or i % DAYS == date.today().toordinal() % DAYS else [pytest.mark.slow]
    )
    for i, name in enumerate(types("tasks"))
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EXPORTED)
def test_onnx_predicts_what_the_task_predicts(name, tmp_path):
    plan = planned(example("tasks", name), tmp_path)
    if plan.recipe.task.export_refusal is not None:
        return  # tests/plan/test_export_refusals.py
    module, batches = build(plan)
    function = RunFunction(module.eval(), plan).eval()
    raw = replace(batches["test"], transforms=[])
    traced = traced_batch(next(iter(raw)), function.inputs)
    names = [entry.name for entry in function.inputs]
    run = Exportable(
        function, names, traced, dynamic_shapes(function.inputs), module.state_dict(), {}, tuple, OnnxRuntime
    )
    write_graph(run, tmp_path / "model.onnx")
    graph = OnnxRuntime(tmp_path / "model.onnx", 1)
    expected = list(run_predictions(module, batches["test"]))
    for found, value in zip(artifact_predictions(graph, raw, function.inputs), expected, strict=True):
        cut = found[:, : value.shape[1]]
        np.testing.assert_allclose(cut, value, rtol=1e-3, atol=1e-5)
    one = {name: value[:1] for name, value in input_arrays(next(iter(raw)), function.inputs).items()}
    np.testing.assert_allclose(graph(one)[0][:, : expected[0].shape[1]], expected[0][:1], rtol=1e-3, atol=1e-5)
