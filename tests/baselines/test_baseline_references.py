"""Baselines of a run are what scikit-learn, pandas and numpy make of the same split when called directly."""

import numpy as np
import pandas as pd
import pytest
from kit import quiet
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dlx
from dlx.data.prepare import prepare_for
from dlx.errors import RecipeError

TAIL = """
train: {epochs: 1, figures: false, log_every_n_steps: 1000}
hardware: {accelerator: cpu, num_threads: 1}
tracking: {log_model: false, uri: "sqlite:///mlflow.db"}
"""


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Train a recipe for an epoch; return the run, and its data."""
    monkeypatch.chdir(tmp_path)

    def train(text):
        (tmp_path / "r.yaml").write_text(text + TAIL)
        loaded = dlx.load(tmp_path / "r.yaml")
        return dlx.train(loaded, root=tmp_path / "runs", console=quiet()), prepare_for(loaded.recipe, tmp_path)

    return train


def measured(run, metric):
    """Return what each baseline reached, by its name."""
    return {n.removeprefix(f"{metric}."): v for n, v in run.metrics.items() if n.startswith(f"{metric}.")}


def test_classes_of_a_table(trained):
    run, data = trained(
        "task: {classification: {metrics: [accuracy, auroc]}}\ndata: {source: {sklearn: breast_cancer}}\n"
        "model: linear\nbaselines: auto\n"
    )
    x, y = load_breast_cancer(return_X_y=True)
    x, y, train, test = x.astype(np.float32), y, data.rows["train"], data.rows["test"]
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x[train], y[train])
    nearest = make_pipeline(StandardScaler(), NearestCentroid()).fit(x[train], y[train])
    trees = HistGradientBoostingClassifier(random_state=0).fit(x[train], y[train])
    assert measured(run, "test/accuracy") == pytest.approx(
        {
            "majority": max(y[test].mean(), 1 - y[test].mean()),
            "logistic_regression": linear.score(x[test], y[test]),
            "nearest_centroid": nearest.score(x[test], y[test]),
            "gradient_boosting": trees.score(x[test], y[test]),
        }
    )
    ranked = roc_auc_score(y[test], linear.predict_proba(x[test])[:, 1])
    assert run.metrics["test/auroc.logistic_regression"] == pytest.approx(ranked, abs=1e-3)
    assert run.metrics["test/auroc.majority"] == pytest.approx(0.5)
    assert "test/loss.majority" not in run.metrics
    assert [note for note in run.notes if "logistic_regression is better than the network" in note]


def test_numbers_of_a_table_on_val_where_there_is_no_test_split(trained):
    run, data = trained(
        "task: {regression: {metrics: [r2, rmse]}}\ndata: {source: {sklearn: diabetes}, split: {test: 0}}\n"
        "model: linear\nbaselines: [mean, {ridge: {alpha: 10.0}}]\nexpect: {val/r2.ridge: '>= 0.2'}\n"
    )
    x, y = (data.arrays[name] for name in ("numeric", "target"))
    train, val = data.rows["train"], data.rows["val"]
    linear = make_pipeline(StandardScaler(), Ridge(10.0)).fit(x[train], y[train])
    found = measured(run, "val/r2")
    assert found["ridge"] == pytest.approx(r2_score(y[val], linear.predict(x[val])), abs=1e-5)
    assert found["mean"] == pytest.approx(r2_score(y[val], np.full(y[val].shape, y[train].mean())), abs=1e-5)
    assert run.claims_hold and len(run.verdict) == 1


def test_reconstructions_and_noise(trained):
    text = "task: {TASK}\ndata: {source: {sklearn: digits}, transforms: [{scale: 0.0625}]}\n"
    text += "model: {encoder: {mlp: [8]}, decoder: {mlp: [8]}}\nbaselines: BASELINES\n"
    task = "autoencoder: {latent_dim: 8}"
    run, data = trained(text.replace("TASK", task).replace("BASELINES", "auto"))
    x = load_digits().data / 16
    plane = PCA(8).fit(x[data.rows["train"]])
    test = x[data.rows["test"]]
    lost = np.mean((plane.inverse_transform(plane.transform(test)) - test) ** 2)
    assert measured(run, "test/mse") == pytest.approx({"pca": lost}, rel=1e-4)
    noisy = "autoencoder: {latent_dim: 8, noise: gaussian, noise_level: 0.3}"
    run, _ = trained(text.replace("TASK", noisy).replace("BASELINES", "auto"))
    gains = measured(run, "test/psnr_gain")
    assert gains["pca"] > 2 and 3 < gains["ridge"] < 8
    # the linear denoiser, with noise of its own: Wiener's, from the covariance of the clean digits
    train = x[data.rows["train"]]
    cov = np.cov(train.T)
    wiener = cov @ np.linalg.inv(cov + 0.09 * np.eye(64))
    expected = np.trace(cov - wiener @ cov) / 64
    assert run.metrics["test/mse.ridge"] == pytest.approx(expected, rel=0.12)


def test_anomalies_by_pca(trained):
    run, data = trained(
        "task: {anomaly: {labeled: true, latent_dim: 8}}\nmodel: {encoder: {mlp: [8]}, decoder: {mlp: [8]}}\n"
        "data: {source: {sklearn: digits}, split: {holdout_classes: ['0']}, transforms: [{scale: 0.0625}]}\n"
        "baselines: auto\n"
    )
    digits = load_digits()
    x, train, test = digits.data / 16, data.rows["train"], data.rows["test"]
    plane = PCA(8).fit(x[train])
    errors = ((plane.inverse_transform(plane.transform(x[test])) - x[test]) ** 2).mean(1)
    expected = roc_auc_score(digits.target[test] == 0, errors)
    assert measured(run, "test/auroc") == pytest.approx({"pca": expected}, abs=1e-3)


def test_text_by_tfidf(trained, tmp_path):
    random = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(40)])
    texts = [" ".join(random.choice(words, 8)) for _ in range(200)]
    kinds = ["up" if ("w1 " in t) + ("w2 " in t) + random.integers(2) > 1 else "down" for t in texts]
    pd.DataFrame({"text": texts, "kind": kinds}).to_csv(tmp_path / "t.csv", index=False)
    run, data = trained(
        "task: classification\ndata: {source: {table: {path: t.csv, target: kind, types: {text: text}}}, "
        "tokenizer: {word: {pre_tokenizer: whitespace}}}\nmodel: {text_cnn: {embedding_dim: 4, channels: 4}}\n"
        "baselines: auto\n"
    )
    train, test = data.rows["train"], data.rows["test"]
    vectors = TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), lowercase=False)
    x = vectors.fit_transform([texts[i] for i in train])
    linear = LogisticRegression(max_iter=1000).fit(x, np.array(kinds)[train])
    found = measured(run, "test/accuracy")
    assert set(found) == {"majority", "tfidf_logistic_regression"}
    right = linear.score(vectors.transform([texts[i] for i in test]), np.array(kinds)[test])
    assert found["tfidf_logistic_regression"] == pytest.approx(right)


def test_the_climate_of_a_series(trained, tmp_path):
    days = pd.date_range("2000-01-01", periods=400, freq="D")
    random = np.random.default_rng(0)
    values = np.sin(days.dayofweek.to_numpy()) * 5 + random.normal(size=400)
    pd.DataFrame({"day": days, "y": values}).to_csv(tmp_path / "s.csv", index=False)
    source = "series: {path: s.csv, time: day, target: y, history: 14, horizon: 7, season: 7}"
    run, _ = trained(
        f"task: {{forecasting: {{metrics: [mae]}}}}\ndata: {{source: {{{source}}}, split: {{val: 50, test: 100}}}}\n"
        "model: linear\nbaselines: [{climatology: {window: 1}}, ridge]\n"
    )
    found = measured(run, "test/mae")
    assert set(found) == {"climatology", "ridge", "naive", "seasonal_naive"}
    seen, rest = slice(0, 250), slice(300, 400)
    by_day = pd.Series(values[seen]).groupby(days[seen].dayofweek).mean()
    errors = np.abs(by_day.reindex(days[rest].dayofweek).to_numpy() - values[rest])
    assert found["climatology"] == pytest.approx(errors.mean(), rel=0.05)
    assert found["climatology"] < found["seasonal_naive"] < found["naive"]


def test_a_few_samples_are_an_even_draw(trained):
    run, data = trained(
        "task: classification\ndata: {source: {sklearn: iris}, split: {test: 0.3}}\nmodel: linear\n"
        "baselines: {few: {type: logistic_regression, max_samples: 12, C: 2.0}}\n"
    )
    x, y = load_iris(return_X_y=True)
    from dlx.data.splits import limit_rows

    few = limit_rows(data.rows["train"], 12, y, 0)
    assert np.bincount(y[few]).tolist() == [4, 4, 4]
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=2.0, max_iter=1000)).fit(x[few], y[few])
    assert run.metrics["test/accuracy.few"] == pytest.approx(linear.score(x[data.rows["test"]], y[data.rows["test"]]))


def test_none_are_measured_unasked_and_those_that_do_not_fit_are_refused(trained, tmp_path):
    text = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: linear\n"
    run, _ = trained(text)
    assert not measured(run, "test/accuracy")
    (tmp_path / "r.yaml").write_text(text + "baselines: [majority, ridge]\n")
    with pytest.raises(RecipeError, match="ridge cannot predict classes of these inputs"):
        dlx.plan.make(dlx.load(tmp_path / "r.yaml"))
