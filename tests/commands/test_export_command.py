"""`dlx export`: a table of artifacts beside the run, and `dlx predict` of a graph in a process without torch."""

import io
import json
import sqlite3

import numpy as np
import pandas as pd
import pytest
from kit import quiet

import dlx as api
from dlx.errors import UsageError

TABLE = """
name: mixed
task: classification
data: {source: {type: table, path: rows.csv, target: kind}}
model: {layers: [columns, {linear: 8}, relu]}
train: {epochs: 2, batch_size: 16, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""


def table(n, seed):
    generator = np.random.default_rng(seed)
    size = generator.normal(size=n)
    frame = pd.DataFrame({"size": size, "color": generator.choice(["red", "green", "blue"], n)})
    frame.loc[generator.random(n) < 0.1, "size"] = np.nan
    frame["kind"] = np.where(size > 0, "big", "small")
    return frame


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    table(200, 0).to_csv(folder / "rows.csv", index=False)
    (folder / "mixed.yaml").write_text(TABLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        api.train("mixed.yaml", console=quiet())
        yield folder


@pytest.fixture(scope="module")
def graph(home):
    """Return the exported graph of the run."""
    return api.export("mixed", folder=home / "out", console=quiet()).files[0]


def test_the_verb_prints_a_table_and_what_comes_next(dlx, home):
    done = dlx("export", "mixed", "onnx", "safetensors", cwd=home, heavy=True)
    assert done.returncode == 0, done.stderr
    assert "100.00%" in done.stdout and "agrees" in done.stdout and "accuracy" in done.stdout
    graph = "/export/model.onnx INPUT"
    assert any(line.startswith("next") and line.endswith(graph) for line in done.stdout.splitlines())
    (folder,) = (home / "runs").iterdir()
    run_id = json.loads((folder / "run.json").read_text())["mlflow_run"]
    query = "select value from latest_metrics where run_uuid = ? and key = 'export/safetensors/agreement'"
    with sqlite3.connect(home / "mlflow.db") as database:
        assert database.execute(query, [run_id]).fetchall() == [(1.0,)]


def test_a_table_with_gaps_and_new_categories_is_predicted_without_torch(dlx, home, graph):
    frame = table(70, 1).drop(columns="kind")
    frame.loc[3, "color"] = "violet"
    frame.to_csv(home / "new.csv", index=False)
    done = dlx("predict", graph, "new.csv", cwd=home)  # in a process where torch cannot be imported
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(io.StringIO(done.stdout))
    expected = api.predict("mixed", "new.csv").frame()
    assert list(found.columns) == list(expected.columns) and len(found) == 70
    assert list(found["prediction"]) == list(expected["prediction"])
    np.testing.assert_allclose(found["p(big)"], expected["p(big)"], atol=1e-5)
    assert "violet" in done.stderr


def test_a_graph_does_not_know_its_own_splits(graph):
    with pytest.raises(UsageError, match="name files"):
        api.predict(graph, split="test")


def test_an_artifact_that_does_not_agree_ends_with_1(dlx, home):
    text = (home / "mixed.yaml").read_text() + "export: {onnx: {tolerance: 1.0e-30}}\n"
    (home / "exact.yaml").write_text(text.replace("name: mixed", "name: exact"))
    run = api.train("exact.yaml", console=quiet())
    assert any("does not agree" in note for note in run.notes)
    done = dlx("export", "exact", "--json", cwd=home, heavy=True)
    assert done.returncode == 1
    (artifact,) = json.loads(done.stdout)["artifacts"]
    assert artifact["files"] == [] and artifact["figures"]["max_abs_difference"] > 1e-30


def test_a_graph_is_evaluated_on_its_own_splits_and_on_other_data(home, graph):
    table(60, 2).dropna(subset="size").to_csv(home / "other.csv", index=False)
    for chosen in ({"split": "test"}, {"split": "val"}, {"data": "other.csv"}):
        run, found = api.evaluate("mixed", **chosen), api.evaluate(graph, **chosen)
        split = chosen.get("split", "test")
        assert found.metrics == {f"{split}/accuracy": pytest.approx(run.metrics[f"{split}/accuracy"])}
        assert found.samples == run.samples
