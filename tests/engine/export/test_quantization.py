"""A quantized graph has weights of 8 bits, predicts by itself, and is held against the run like any other."""

import numpy as np
import onnx
import pytest
from kit import quiet
from onnx import numpy_helper
from sklearn.datasets import load_digits

import dlx
from dlx.errors import UsageError
from dlx.exporters import Exporter

DIGITS = """
name: digits
task: classification
data: {source: {sklearn: digits}, transforms: [normalize]}
model: {layers: [{conv: {channels: 6, kernel: 3}}, relu, flatten, {linear: 24}, relu]}
optimizer: {adam: {lr: 0.01}}
train: {epochs: 5, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
export: {onnx: int8_static}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "digits.yaml").write_text(DIGITS)
        yield dlx.train("digits.yaml", console=quiet())


def operators(path):
    return {node.op_type for node in onnx.load(path).graph.node}


def scales(path):
    """Return the scales of activations: those of one number."""
    model = onnx.load(path)
    values = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
    inputs = [node.input[1] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    return np.array(sorted(float(values[name]) for name in inputs if values[name].ndim == 0))


def test_both_graphs_are_written_and_have_figures_of_their_own(run):
    folder = run.folder / "export"
    assert {p.name for p in folder.iterdir()} == {"model.onnx", "model.int8.onnx"}
    assert not any("QuantizeLinear" in name for name in operators(folder / "model.onnx"))
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators(folder / "model.int8.onnx")
    weights = [
        v for v in onnx.load(folder / "model.int8.onnx").graph.initializer if v.data_type == onnx.TensorProto.INT8
    ]
    assert sum(int(np.prod(v.dims)) for v in weights) >= 6 * 9 + 6 * 36 * 24 + 24 * 10
    found = run.metrics
    assert found["export/max_abs_difference"] == found["export/onnx/max_abs_difference"] < 1e-5
    assert found["export/onnx_int8/max_abs_difference"] > 1e-4  # it is an approximation
    assert found["export/onnx_int8/agreement"] >= 0.95
    assert found["export/accuracy_change"] == min(0, found["export/onnx_int8/accuracy_change"])


def test_a_quantized_graph_predicts_by_itself(run):
    np.save("images.npy", load_digits().images[:50].astype(np.uint8)[:, None])
    found = dlx.predict(run.folder / "export" / "model.int8.onnx", "images.npy").frame()
    expected = dlx.predict(run.folder, "images.npy").frame()
    assert (found["prediction"] == expected["prediction"]).mean() >= 0.9


def test_dynamic_quantization_measures_activations_as_they_come(run, tmp_path):
    report = dlx.export(run.folder, ["onnx"], folder=tmp_path, quantize="int8_dynamic", console=quiet())
    assert {a.name: a.refusal for a in report.artifacts} == {"onnx": None, "onnx_int8": None}
    assert {"DynamicQuantizeLinear", "MatMulInteger", "Conv"} <= operators(tmp_path / "model.int8.onnx")


def test_percentiles_cut_off_what_the_extremes_include(run, tmp_path):
    found = {}
    for calibration in ("min_max", "percentile"):
        options = {
            "quantize": "int8_static",
            "calibration": calibration,
            "calibration_samples": 100,
            "min_agreement": 0,
        }
        dlx.export(run.folder, {"onnx": options}, folder=tmp_path / calibration, console=quiet())
        found[calibration] = scales(tmp_path / calibration / "model.int8.onnx")
    assert (found["percentile"] <= found["min_max"] * 1.001).all()
    assert found["percentile"].sum() < found["min_max"].sum()


def test_a_quantized_graph_is_judged_by_decisions():
    exporter = Exporter.model_validate({"onnx": {"quantize": "int8_static", "min_agreement": 0.9}})
    assert exporter.accepts(False, 0.91) and not exporter.accepts(True, 0.89)
    exact = exporter.variants()[""]
    assert exact.accepts(True, 0.5) and not exact.accepts(False, 1.0)
    assert exporter.limit(np.array([5.0]), spread=2.0) == pytest.approx(0.2)
    assert exact.limit(np.array([0.5, -5.0]), spread=2.0) == pytest.approx([1e-4, 5e-4])


def test_a_wrong_word_is_refused(run):
    with pytest.raises(UsageError, match="int8_dynamic"):
        dlx.export(run.folder, quantize="int4", console=quiet())


@pytest.mark.slow
def test_a_benchmark_compares_all_formats_and_writes_nothing(run):
    before = sorted(run.folder.rglob("*"))
    report = dlx.export(run.folder, benchmark=True, console=quiet())
    assert [a.name for a in report.artifacts] == ["onnx", "onnx_int8", "safetensors", "torch_export"]
    assert all(a.proof is not None and not a.files for a in report.artifacts)
    assert sorted(run.folder.rglob("*")) == before
