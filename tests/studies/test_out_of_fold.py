"""Out-of-fold predictions: each sample once for each variant, as its fold's own weights predict it, worked by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from kit import quiet
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dlx
from dlx.engine.checkpoint import load_checkpoint
from dlx.errors import UsageError
from dlx.studies import out_of_fold

FOLDS = 3
RECIPE = f"""
name: cancer
task: classification
data: {{source: {{sklearn: breast_cancer}}, split: {{folds: {FOLDS}, test: 0}}}}
model: linear
optimizer: {{adamw: {{lr: 0.02, weight_decay: 0.01}}}}
train: {{epochs: 8, batch_size: 32}}
hardware: {{accelerator: cpu, num_threads: 1}}
compare:
  variants: {{short: {{train: {{epochs: 1}}}}}}
  folds: all
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "r.yaml").write_text(RECIPE)
        found = dlx.compare("r.yaml", console=quiet())
        yield found, folder


@pytest.fixture(scope="module")
def table(report):
    found, folder = report
    return pd.read_csv(folder / found.out_of_fold.path)


def test_every_sample_is_predicted_once_for_each_variant(report, table):
    y = load_breast_cancer().target
    assert report[0].out_of_fold.count == len(table) == 2 * len(y)
    names = load_breast_cancer().target_names
    for _, rows in table.groupby("variant"):
        assert sorted(rows["row"]) == list(range(len(y)))
        assert set(rows["fold"]) == set(range(1, FOLDS + 1))
        assert (rows["truth"].to_numpy() == names[y[rows["row"]]]).all()
    folds = table.pivot(index="row", columns="variant", values="fold")
    assert (folds["base"] == folds["short"]).all()


def test_predictions_are_those_of_the_weights_that_did_not_see_the_sample(report, table):
    x, _ = load_breast_cancer(return_X_y=True)
    found, folder = report
    for fold in range(1, FOLDS + 1):
        held_out = table[(table["variant"] == "base") & (table["fold"] == fold)]
        rows = held_out["row"].to_numpy()
        train = np.setdiff1d(np.arange(len(x)), rows)
        scaler = StandardScaler().fit(x[train])
        state = load_checkpoint(folder / found.folder / f"base-{fold - 1}" / "checkpoints" / "best.ckpt")["state_dict"]
        (weight,) = (v.numpy() for n, v in state.items() if n.endswith("weight"))
        (bias,) = (v.numpy() for n, v in state.items() if n.endswith("bias"))
        logits = scaler.transform(x[rows]) @ weight.T + bias
        classes = load_breast_cancer().target_names
        if len(bias) == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        assert (held_out["prediction"].to_numpy() == classes[logits.argmax(1)]).all()


def test_scikit_learn_predicts_nearly_the_same_on_the_same_folds(table):
    x, y = load_breast_cancer(return_X_y=True)
    base = table[table["variant"] == "base"].sort_values("row")
    model = make_pipeline(StandardScaler(), LogisticRegression())
    theirs = cross_val_predict(model, x, y, cv=PredefinedSplit(base["fold"].to_numpy() - 1))
    ours = base["prediction"].to_numpy()
    assert (ours == load_breast_cancer().target_names[theirs]).mean() > 0.97


def test_the_file_is_shown_and_is_not_written_again(report, monkeypatch, capsys):
    from dlx.commands._study import print_comparison

    found, folder = report
    monkeypatch.chdir(folder)
    written = found.out_of_fold.path.stat().st_mtime_ns
    again = dlx.compare("r.yaml", console=quiet())
    assert again.out_of_fold.path.stat().st_mtime_ns == written
    print_comparison(again)
    shown = capsys.readouterr().out
    assert "out_of_fold.csv (1,138 predictions)" in shown
    assert again.to_json()["out_of_fold"]["count"] == 1138


def test_a_task_without_predictions_says_why(tmp_path, monkeypatch):
    def refuse(folder, split):
        raise UsageError("a language model continues text")

    monkeypatch.setattr(out_of_fold, "predict_split", refuse)
    study = SimpleNamespace(path=tmp_path, variant_folder=lambda name, fold: tmp_path / f"{name}-{fold}")
    found = out_of_fold.write_out_of_fold(study, ["base"], 2, quiet())
    assert str(found) == "none: a language model continues text"
    assert found.to_json()["path"] is None
    assert list(tmp_path.iterdir()) == []
