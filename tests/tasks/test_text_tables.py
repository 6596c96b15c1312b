"""Columns of text: classified and regressed on from the command line, served, and described to MLflow."""

import json

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from dlx.cli import app
from dlx.data.prepare import prepare
from dlx.engine.inference.restore import restore
from dlx.engine.inference.served import ServedRun
from dlx.recipe.load import load
from dlx.tracking.signature import model_signature

RECIPE = """
name: moods
task: classification
data:
  source: {table: {path: moods.csv, target: mood, types: {text: text}}}
  tokenizer: {word: {lowercase: true}}
  augment: [{random_deletion: {fraction: 0.2, p: 0.3}}]
model: {gru: {embedding_dim: 8, hidden: 8, output: max}}
optimizer: {adam: {lr: 0.02}}
train: {epochs: 8, batch_size: 16}
hardware: {accelerator: cpu, num_threads: 1}
expect: {test/accuracy: ">= 0.95"}
"""
FILLER = ["the", "a", "film", "plot", "of", "and", "with", "was"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Texts of 1 to 12 words, in which one word tells the mood; `length` counts the words."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    lines = ["text,length,mood"]
    for i in range(240):
        words = list(generator.choice(FILLER, generator.integers(0, 12)))
        words.insert(generator.integers(0, len(words) + 1), ("good", "dull")[i % 2])
        lines.append(f"{' '.join(words)},{len(words)},{('praise', 'blame')[i % 2]}")
    (tmp_path / "moods.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "r.yaml").write_text(RECIPE.replace("{text: text}", "{text: text, length: ignore}"))
    (tmp_path / "new.csv").write_text("text\nA good film\ndull\nthe plot of the film was Good and the a the\n")
    return tmp_path


def asked(*words):
    found = CliRunner().invoke(app, list(words))
    assert found.exit_code == 0, found.output
    return found.stdout


def test_texts_are_classified_from_plan_to_prediction(folder):
    plan = json.loads(asked("plan", "r.yaml", "--json"))
    assert plan["networks"]["network"]["input"] == "?"
    run = json.loads(asked("train", "r.yaml", "--strict", "--json"))
    metrics = json.loads(asked("eval", "last", "--json"))["metrics"]
    assert metrics["test/accuracy"] == run["metrics"]["test/accuracy"] >= 0.95
    said = [row["prediction"] for row in json.loads(asked("predict", "last", "new.csv", "--json"))]
    assert said == ["praise", "blame", "praise"]
    resolved = yaml.safe_load((next(folder.glob("runs/*")) / "resolved.yaml").read_text())
    assert resolved["data"]["tokenizer"]["type"] == "word"
    import pandas as pd

    served = ServedRun(restore("last"))
    shown = served.predict(pd.DataFrame({"text": ["good", "dull the a film"]}))
    assert list(shown["prediction"]) == ["praise", "blame"]
    facts = served.restored.plan.facts
    signature = model_signature(facts, "classes")
    assert signature["tabular"] and signature["inputs"] == [["text", "string"]]
    shown = served.predict(pd.DataFrame([signature["example"]]))
    assert set(shown["prediction"]) < {"praise", "blame"}


def test_numbers_are_predicted_of_texts(folder):
    changes = {
        "classification": "{regression: {metrics: [r2]}}",
        "mood, types: {": "length, types: {mood: ignore, ",
        'test/accuracy: ">= 0.95"': 'test/r2: ">= 0.9"',
        "augment:": "# augment:",
        "epochs: 8": "epochs: 20",
    }
    changed = RECIPE
    for old, new in changes.items():
        changed = changed.replace(old, new)
    (folder / "r.yaml").write_text(changed)
    asked("train", "r.yaml", "--strict", "train.log_every_n_steps=10")


TWO_READERS = """
model:
  type: layers
  layers:
    - branches:
        - [{field: text}, {read: [{embedding: 6}]}, {gru: {hidden: 6, bidirectional: true, output: last}}]
        - [{words: [{field: length}, {embedding: 4}]}, {attention: 2}, {time_pool: mean}]
"""


def test_two_texts_of_varying_length_are_read_each_with_its_own_padding(folder):
    lines = (folder / "moods.csv").read_text().replace(",10,", ",ten or so,")
    (folder / "moods.csv").write_text(lines)
    recipe = RECIPE.replace("{text: text}", "{text: text, length: text}").replace("epochs: 8", "epochs: 4")
    recipe = recipe.replace("model: {gru: {embedding_dim: 8, hidden: 8, output: max}}", TWO_READERS)
    (folder / "r.yaml").write_text(recipe)
    asked("train", "r.yaml", "--strict")
    module = restore("last").module.eval()
    data = prepare(load("r.yaml").recipe.data, folder, "classes")
    by_length = np.argsort(data.arrays["length"].lengths, kind="stable")
    chosen = [*by_length[:3], *by_length[-3:]]
    padded = {name: padded_of([data.arrays[name][r] for r in chosen]) for name in ("text", "length")}
    masks = {f"{name}_mask": ids != 0 for name, ids in padded.items()}
    assert not any(mask.all() for mask in masks.values())
    together = module(padded, masks)
    for i, row in enumerate(chosen):
        alone = module({name: torch.from_numpy(data.arrays[name][row])[None] for name in padded})
        assert torch.allclose(together[i], alone[0], atol=1e-6)


def padded_of(texts):
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(ids) for ids in texts], batch_first=True)
