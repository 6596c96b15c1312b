"""Runs of masked language models: what they learn, how they go on, and tokenizers that other runs take from them."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from kit import Stopper, assert_same_weights, is_stopped, make_plan, quiet, train
from masked_texts import RUNNING, TEXTS, write_texts

import dlx
from dlx.engine.build.experiment import build_module
from dlx.engine.checkpoint import load_checkpoint
from dlx.errors import DataError, RecipeError, UsageError
from dlx.tokenizers import Tokenizer, restore

MOODS = """
name: moods
task: classification
data:
  source: {table: {path: texts.csv, target: mood, types: {text: text}}}
  tokenizer: {pretrained: {run: texts}}
  split: {val: 0.2, test: 0.2}
model: {bert: {features: 16, num_layers: 1, num_heads: 2, max_length: 16, pooler: false, dropout: 0.1}}
init_from: {run: texts, only: [body]}
train: {epochs: 1, batch_size: 16, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_texts(tmp_path)


def test_it_learns_which_words_stand_together():
    Path("text.txt").write_text("".join(c * 8 for c in "abcd" * 60))
    run = train(RUNNING, {"train.epochs": 8, "task.next_sentence": False, "data.split.val": 0.25})
    assert run.metrics["test/accuracy"] > 0.8


@pytest.mark.parametrize("text", [TEXTS, RUNNING])
def test_it_goes_on_exactly(text):
    whole = train(text)
    with is_stopped():
        train(text, callbacks=[Stopper(5)])
    run = dlx.resume("last", console=quiet())
    assert_same_weights(whole, run)
    assert run.metrics == whole.metrics
    assert dlx.evaluate(str(run.folder)).metrics["test/loss"] == run.metrics["test/loss"]


def test_a_classifier_begins_with_what_was_learned_of_words():
    before = train(TEXTS)
    module = build_module(make_plan(MOODS))
    learned = load_checkpoint(before.checkpoint)["state_dict"]
    own = {n: v for n, v in module.state_dict().items() if n.startswith("networks.network.body.")}
    assert own and all(torch.equal(v, learned[n]) for n, v in own.items())
    assert make_plan(MOODS).facts.fields["text"].vocab == make_plan(TEXTS).facts.fields["text"].vocab
    run = train(MOODS)
    assert dlx.evaluate(str(run.folder)).metrics["test/accuracy"] == run.metrics["test/accuracy"]
    Path("new.csv").write_text("text\nthe good glad\n")
    assert len(dlx.predict(str(run.folder), ["new.csv"])) == 1
    with pytest.raises(UsageError, match=r"head\.1\.weight: 2 × 16 here, not there"):
        build_module(make_plan(MOODS, {"init_from": "texts"}))


def test_a_vocabulary_of_its_own_does_not_fit():
    train(TEXTS)
    with pytest.raises((UsageError, RecipeError), match=r"body\.0\.weight"):
        build_module(make_plan(MOODS, {"data.tokenizer": "word"}))


def test_the_tokenizer_of_a_run_is_found_by_name_and_field():
    run = train(TEXTS)
    stored = json.loads((run.folder / "tokenizers.json").read_text())
    assert list(stored) == ["text"]
    tokens = restore(stored["text"]).tokens
    for where in ({"run": "texts"}, {"run": str(run.folder)}, {"run": "last", "field": "text"}):
        facts = make_plan(MOODS, {"data.tokenizer": {"pretrained": where}}).facts
        assert list(restore(facts.tokenizers["text"]).tokens) == list(tokens)
    with pytest.raises(DataError, match="has no such field; there are text"):
        make_plan(MOODS, {"data.tokenizer": {"pretrained": {"run": "texts", "field": "words"}}})
    other = {**stored, "other": {**stored["text"], "state": {"symbols": ["a"]}}}
    (run.folder / "tokenizers.json").write_text(json.dumps(other))
    with pytest.raises(DataError, match="name the field of one"):
        make_plan(MOODS)
    shutil.rmtree(run.folder)
    with pytest.raises(UsageError, match="no run 'texts'"):
        make_plan(MOODS)


def test_a_run_is_evaluated_without_the_one_whose_tokenizer_it_has():
    before = train(TEXTS)
    run = train(MOODS)
    shutil.rmtree(before.folder)
    assert dlx.evaluate(str(run.folder)).metrics["test/accuracy"] == run.metrics["test/accuracy"]


STAGES = """
name: stages
data:
  source: {table: {path: texts.csv, target: mood, types: {text: text}}}
  split: {val: 0.2, test: 0.2}
model: {bert: {features: 16, num_layers: 1, num_heads: 2, max_length: 16, pooler: false, dropout: 0.1}}
train: {epochs: 1, batch_size: 16, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
stages:
  words: {task: masked_lm, data: {inputs: [text], tokenizer: word}}
  moods:
    task: classification
    data: {tokenizer: {pretrained: {stage: words}}}
    init_from: {stage: words, only: [body]}
"""


def test_a_stage_has_the_tokenizer_of_an_earlier_one():
    plan = make_plan(STAGES)
    one, other = (restore(stage.facts.tokenizers["text"]) for stage in plan.stages.values())
    assert list(one.tokens) == list(other.tokens) and one.tokens[-1] == "<mask>"
    run = train(STAGES)
    moods = next(run.folder.rglob("*moods*/checkpoints/best.ckpt"))
    assert dlx.evaluate(str(moods)).metrics["test/accuracy"] == run.metrics["test/accuracy"]
    with pytest.raises((DataError, RecipeError), match="no earlier stage 'wrods'"):
        make_plan(STAGES.replace("{pretrained: {stage: words}}", "{pretrained: {stage: wrods}}"))


@pytest.mark.slow
def test_two_processes_have_the_stages_of_one():
    """The second stage reads the first one's tokenizer, and its weights, in every process. Which words are hidden is
    drawn by each process for itself, so that losses are only about the same.
    """
    steady = STAGES.replace(", dropout: 0.1", "")
    one = train(steady)
    two = train(steady.replace("accelerator: cpu", "accelerator: cpu, devices: 2"))
    assert two.stages == dict.fromkeys(two.stages, True) and len(two.stages) == 2
    kept = [sorted(run.folder.rglob("tokenizers.json")) for run in (one, two)]
    assert [path.read_text() for path in kept[0]] == [path.read_text() for path in kept[1]] and len(kept[0]) >= 2
    measured = [name for name in one.metrics if name.startswith(("test/", "val/"))]
    assert {n: two.metrics[n] for n in measured} == pytest.approx({n: one.metrics[n] for n in measured}, rel=0.02)


@pytest.mark.parametrize("where", [{}, {"path": "a", "run": "b"}, {"path": "a", "field": "b"}])
def test_a_trained_tokenizer_is_from_one_place(where):
    with pytest.raises(ValueError, match="path"):
        Tokenizer.model_validate({"type": "pretrained", **where})
