"""An exported run predicts what the run predicts, says what it is, and is not written where it does not agree."""

import json

import numpy as np
import onnx
import pytest
import torch
from kit import quiet
from sklearn.datasets import load_digits

import dlx
from dlx.engine.export.function import RunFunction
from dlx.engine.inference.artifact import load_artifact
from dlx.errors import CheckpointError, UsageError

DIGITS = """
name: digits
task: {type: classification, metrics: [accuracy]}
data: {source: {sklearn: digits}, transforms: [normalize, {resize: 12}]}
model: {layers: [{conv: {channels: 4, kernel: 3}}, batch_norm, relu, flatten, {linear: 10}]}
train: {epochs: 1, limit_train_samples: 200, limit_val_samples: 50, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
export: {onnx: {}, safetensors: {}}
expect: {export/agreement: ">= 0.999", export/onnx/max_abs_difference: "<= 1e-4", export/accuracy_change: 0}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a run with an `export` section, in the current directory."""
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "digits.yaml").write_text(DIGITS)
        yield dlx.train("digits.yaml", console=quiet())


@pytest.fixture(scope="module")
def images():
    return load_digits().images[:40].astype(np.uint8)[:, None]


def test_the_section_exports_after_the_test_and_its_figures_join_the_claims(run):
    assert run.claims_hold, run.verdict
    assert {p.name for p in (run.folder / "export").iterdir()} == {"model.onnx", "model.safetensors", "config.json"}
    assert run.metrics["export/onnx/size"] == (run.folder / "export" / "model.onnx").stat().st_size
    assert run.metrics["export/max_abs_difference"] == run.metrics["export/onnx/max_abs_difference"] > 0
    assert run.metrics["export/latency_ratio"] > 0


def test_the_figures_and_files_are_in_mlflow(run):
    from dlx.tracking.store import mlflow_client

    client = mlflow_client()
    assert client.get_run(run.mlflow_run).data.metrics["export/onnx/agreement"] == 1
    assert {f.path for f in client.list_artifacts(run.mlflow_run, "export")} >= {"export/model.onnx"}


def test_onnx_predicts_what_the_run_predicts_for_any_batch(run, images):
    graph = load_artifact(run.folder / "export" / "model.onnx").runtime
    np.save("images.npy", images)
    frame = dlx.predict(run.folder, "images.npy").frame()
    expected = frame[[f"p({k})" for k in range(10)]].to_numpy()
    for rows in (slice(0, 1), slice(1, 8), slice(0, 40)):
        found, _ = graph({"image": images[rows]})
        np.testing.assert_allclose(found, expected[rows], atol=1e-5)


def test_the_graph_says_what_goes_in_and_what_it_is(run):
    model = onnx.load(run.folder / "export" / "model.onnx")
    onnx.checker.check_model(model)
    (image,), (predictions,) = model.graph.input, model.graph.output
    assert (image.name, predictions.name) == ("image", "predictions")
    assert [dim.dim_value for dim in image.type.tensor_type.shape.dim] == [0, 1, 8, 8]
    metadata = json.loads(next(entry.value for entry in model.metadata_props if entry.key == "dlx"))
    assert metadata["inputs"] == [{"name": "image", "dtype": "uint8", "shape": ["batch", 1, 8, 8], "axes": "CHW"}]
    assert metadata["classes"] == [str(k) for k in range(10)]
    assert (metadata["run"], metadata["name"]) == (run.folder.name, "digits")
    assert metadata["preprocessing"] == {"inside": ["normalize", "resize"], "outside": {}}
    assert metadata["opset"] == model.opset_import[0].version


def test_dlx_predicts_with_the_graph_and_with_the_weights(run, images):
    np.save("images.npy", images)
    expected = dlx.predict(run.folder, "images.npy").frame()
    for name in ("model.onnx", "model.safetensors"):
        found = dlx.predict(run.folder / "export" / name, "images.npy").frame()
        assert list(found.columns) == list(expected.columns)
        assert list(found["prediction"]) == list(expected["prediction"])
        np.testing.assert_allclose(found["p(3)"], expected["p(3)"], atol=1e-5)


def test_plain_torch_reads_the_weights(run):
    from safetensors.torch import load_file

    state = load_file(run.folder / "export" / "model.safetensors")
    own = torch.load(run.checkpoint, weights_only=True)["state_dict"]
    assert set(state) == set(own)
    for name, value in own.items():
        torch.testing.assert_close(state[name], value)


def test_an_artifact_that_does_not_agree_is_not_written(run, monkeypatch, tmp_path):
    forward = RunFunction.forward
    monkeypatch.setattr(RunFunction, "forward", lambda self, *inputs: forward(self, *inputs) + 1e-3)
    report = dlx.export(run.folder, ["onnx"], folder=tmp_path / "out", console=quiet())
    (artifact,) = report.artifacts
    assert "does not agree with its run" in artifact.refusal
    assert artifact.proof.max_abs_difference == pytest.approx(1e-3, rel=0.01)
    assert artifact.proof.agreement == 1  # the classes are the same all the same
    assert not (tmp_path / "out").exists() and not report.files
    wide = dlx.export(run.folder, {"onnx": {"tolerance": 0.01}}, folder=tmp_path / "out", console=quiet())
    assert wide.files == [tmp_path / "out" / "model.onnx"]


def test_a_program_runs_in_a_process_without_dlx(run, images, tmp_path):
    report = dlx.export(run.folder, ["torch_export"], folder=tmp_path, console=quiet())
    (artifact,) = report.artifacts
    assert artifact.proof.agreement == 1 and artifact.proof.max_abs_difference < 1e-5
    extra = {"dlx.json": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=extra).module()
    assert json.loads(extra["dlx.json"])["task"] == "classification"
    np.save("images.npy", images)
    expected = dlx.predict(run.folder, "images.npy").frame()["p(3)"]
    np.testing.assert_allclose(program(torch.from_numpy(images))[:, 3].detach(), expected, atol=1e-5)
    with pytest.raises(UsageError, match=r"plain torch, `torch\.export\.load"):
        dlx.predict(tmp_path / "model.pt2", "images.npy")


def test_what_is_no_graph_of_dlx_is_refused(run, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match="ONNX Runtime can load"):
        load_artifact(tmp_path / "broken.onnx")
    model = onnx.load(run.folder / "export" / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(CheckpointError, match="not written by `dlx export`"):
        load_artifact(tmp_path / "other.onnx")


def test_an_unknown_format_is_named_with_what_there_is(run):
    with pytest.raises(UsageError, match="did you mean onnx"):
        dlx.export(run.folder, ["onx"], console=quiet())
