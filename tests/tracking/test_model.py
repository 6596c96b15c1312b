"""The model that a run logs: MLflow loads it back, and it says what `dlx predict` says."""

import numpy as np
import pandas as pd
import pytest

import dlx

TABLE = """
name: shop
task: classification
data: {source: {table: {path: shop.csv, target: bought}}}
model: {mlp: [8]}
train: {epochs: 2}
hardware: {accelerator: cpu, num_threads: 1}
"""
IMAGES = """
name: digits
task: classification
data: {source: {sklearn: digits}}
model: {mlp: [16]}
train: {epochs: 1}
hardware: {accelerator: cpu, num_threads: 1}
"""


@pytest.fixture
def trained(tmp_path, empty_store, monkeypatch):
    """Return a function that trains a recipe in a directory of its own, and gives the run and MLflow's client."""
    import shutil

    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dlx.tracking.logger.CLOSE_SECONDS", dict.fromkeys(("FINISHED", "FAILED", "KILLED"), 120.0))
    shutil.copy(empty_store, "mlflow.db")

    def train(text):
        (tmp_path / "r.yaml").write_text(text)
        return dlx.train(tmp_path / "r.yaml"), MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return train


def loaded(run):
    import mlflow

    return mlflow.pyfunc.load_model(f"runs:/{run.mlflow_run}/model")


def shop():
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": generator.integers(18, 90, 120),
            "price": generator.normal(10, 3, 120).round(2),
            "city": generator.choice(["Rome", "Oslo", "Lima"], 120),
            "bought": generator.choice(["yes", "no"], 120),
        }
    )


def test_a_table_scores_the_same(trained):
    frame = shop()
    frame.to_csv("shop.csv", index=False)
    run, client = trained(TABLE)
    inputs = frame.drop(columns="bought").head(7)
    inputs.to_csv("new.csv", index=False)
    expected = dlx.predict(run.folder, "new.csv").frame()
    model = loaded(run)
    for given in (inputs, inputs.astype({"age": float}), inputs.astype({"age": "int32"})):
        found = model.predict(given)
        assert list(found["prediction"]) == list(expected["prediction"])
    np.testing.assert_array_equal(found["p(yes)"], expected["p(yes)"])
    assert [c.name for c in model.metadata.signature.inputs] == ["age", "price", "city"]
    assert len(model.predict(model.input_example)) == 1
    tracked = client.get_run(run.mlflow_run)
    assert {d.tags[0].value for d in tracked.inputs.dataset_inputs} == {"train", "val", "test"}
    assert all(run_digest(run).startswith(d.dataset.digest) for d in tracked.inputs.dataset_inputs)
    assert all("shop.csv" in d.dataset.source for d in tracked.inputs.dataset_inputs)
    assert len(client.get_metric_history(run.mlflow_run, "test/accuracy")) == 1
    assert tracked.info.status == "FINISHED"
    assert not [name for name in tracked.data.metrics if name.startswith("plan/")]
    assert int(tracked.data.params["plan/parameters"]) > 0 and "plan/memory" in tracked.data.params
    experiment = client.get_experiment(tracked.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"  # in MLflow 3: Model training


def run_digest(run):
    import json

    return json.loads((run.folder / "lock.json").read_text())["data"]


def test_arrays_score_the_same_and_nothing_is_pickled(trained):
    run, _ = trained(IMAGES)
    from sklearn.datasets import load_digits

    images = load_digits().images[:9].astype(np.uint8)[:, None]
    np.save("new.npy", images)
    expected = dlx.predict(run.folder, "new.npy").frame()
    model = loaded(run)
    found = model.predict(images)
    assert list(found["prediction"]) == list(expected["prediction"])
    np.testing.assert_array_equal(found["p(3)"], expected["p(3)"])
    stored = list((run.folder.absolute().parents[1] / "mlruns").rglob("*"))
    assert any(p.name == "MLmodel" for p in stored)
    assert not [p for p in stored if p.suffix in (".pkl", ".pickle", ".cloudpickle")]


def test_nothing_is_advised_about_examples_of_large_inputs():
    import warnings

    from dlx.tracking.store import silence_mlflow

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        silence_mlflow()
        warnings.warn("\x1b[1;33mAn input example was not provided when logging the model.", stacklevel=1)
