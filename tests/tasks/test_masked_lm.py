"""Masked language modeling: masking, next-sentence pairs, metrics, and what another task begins with."""

import csv
import io
import json
import math
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from torch.nn import functional as F

import dlx
from dlx.data.prepare import prepare_for
from dlx.engine.build.experiment import build_batches, build_module
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import DataError, RecipeError, UsageError
from dlx.facts import DataFacts
from dlx.sources import Spans
from dlx.tasks import Task
from dlx.tasks.masked_lm.masking import mask_tokens, pair_texts
from dlx.tasks.masked_lm.module import MaskedLMModule
from dlx.tokenizers import BOS, EOS, PAD, Tokenizer, restore

TEXTS = """
name: texts
task: {masked_lm: {num_examples: 2}}
data:
  source: {table: {path: texts.csv, target: mood, types: {text: text}}}
  inputs: [text]
  tokenizer: word
  split: {val: 0.2, test: 0.2}
model: {bert: {features: 16, num_layers: 1, num_heads: 2, max_length: 16, pooler: false, dropout: 0.1}}
optimizer: {adam: {lr: 0.01}}
train: {epochs: 2, batch_size: 16, log_every_n_steps: 1, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""
RUNNING = """
name: running
task: {masked_lm: {next_sentence: true}}
data: {source: {text: {path: text.txt, block_size: 8}}, split: {val: 0.2, test: 0.2}}
model: {bert: {features: 16, num_layers: 1, num_heads: 2, max_length: 16, pooler: false, dropout: 0.0}}
optimizer: {adam: {lr: 0.01}}
train: {epochs: 2, batch_size: 16, log_every_n_steps: 1, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""
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
WORDS = ("good fine nice glad", "bad poor sad grim")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    with (tmp_path / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "mood"])
        for i in range(120):
            words = generator.choice(WORDS[i % 2].split(), 3 + i % 5)
            writer.writerow([" ".join(["the", *words]), "up" if i % 2 == 0 else "down"])
    (tmp_path / "text.txt").write_text("".join(generator.choice(list("abcdef"), 3000)))
    return tmp_path


def train(text, **changes):
    Path("r.yaml").write_text(text)
    return dlx.train("r.yaml", changes, console=Console(file=io.StringIO()))


def planned(text, **changes):
    Path("r.yaml").write_text(text)
    return dlx.plan.make(dlx.load("r.yaml", changes))


def built(text, **changes):
    plan = planned(text, **changes)
    return plan, build_module(plan), build_batches(plan, prepare_for(plan.recipe, plan.base))


class Always(torch.nn.Module):
    """Returns the same logits for everything."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, x):
        return self.logits.expand(len(x), -1)


def task(**fields):
    return Task.model_validate({"type": "masked_lm", **fields})


def masked(tokens, **fields):
    torch.manual_seed(0)
    return mask_tokens(tokens, torch.rand(*tokens.shape, 3), task(**fields), range(4, 100), 100)


# -- masking --------------------------------------------------------------------------------------------------------


def test_fifteen_percent_are_chosen_of_which_most_are_masked():
    tokens = torch.randint(4, 100, (400, 100))
    seen, chosen = masked(tokens)
    assert (chosen.sum(1) == 15).all()
    assert torch.equal(seen[~chosen], tokens[~chosen])
    put, truth = seen[chosen], tokens[chosen]
    assert (put == 100).float().mean().item() == pytest.approx(0.8, abs=0.02)
    random = (put != 100) & (put != truth)
    assert random.float().mean().item() == pytest.approx(0.1 * 95 / 96, abs=0.015)
    assert put[random].min() >= 4 and put[random].max() < 100 and len(put[random].unique()) > 90


def test_places_are_drawn_evenly():
    _, chosen = masked(torch.full((6000, 20), 7))
    assert (chosen.float().mean(0) - 0.15).abs().max() < 0.02


def test_what_is_no_word_is_never_chosen_and_one_word_always_is():
    tokens = torch.tensor([[BOS, 9, EOS, PAD, PAD], [BOS, 9, 9, 9, EOS], [BOS, EOS, PAD, PAD, PAD]])
    _, chosen = masked(tokens, mask_ratio=1.0)
    assert chosen.tolist() == (tokens == 9).tolist()
    _, chosen = masked(tokens, mask_ratio=0.01)
    assert chosen.sum(1).tolist() == [1, 1, 0]


def test_padding_changes_nothing_of_what_is_chosen():
    tokens, draws = torch.randint(4, 100, (50, 12)), torch.rand(50, 20, 3)
    padded = F.pad(tokens, (0, 8), value=PAD)
    one = mask_tokens(tokens, draws[:, :12], task(), range(4, 100), 100)
    other = mask_tokens(padded, draws, task(), range(4, 100), 100)
    assert all(torch.equal(a, b[:, :12]) for a, b in zip(one, other, strict=True))


def test_shares_are_of_one_whole():
    with pytest.raises(ValueError, match="more than 1"):
        task(mask_replace_prob=0.8, random_replace_prob=0.3)


# -- vocabulary and data --------------------------------------------------------------------------------------------


def test_the_mask_token_is_the_last_and_only_where_a_task_asks_for_it():
    drawn = {"data.split.by": "random"}
    with_mask, without = planned(TEXTS, **drawn), planned(TEXTS, task="classification", **drawn)
    one, other = (restore(plan.facts.tokenizers["text"]) for plan in (with_mask, without))
    assert list(one.tokens) == [*other.tokens, "<mask>"]
    assert one.special("<mask>") == len(other.tokens)
    assert "specials" not in without.facts.tokenizers["text"]
    assert one.decode([one.special("<mask>"), 4, 5]) == other.decode([4, 5])
    again = DataFacts.from_json(json.loads(json.dumps(with_mask.facts.to_json())))
    assert list(restore(again.tokenizers["text"]).tokens) == list(one.tokens)


def test_texts_may_begin_and_end_with_tokens_that_say_so():
    plan = planned(TEXTS, **{"data.special_tokens": True, "data.max_length": 5})
    prepared = prepare_for(plan.recipe, plan.base)
    spans = prepared.arrays["text"]
    assert all(spans[i][0] == BOS and spans[i][-1] == EOS and len(spans[i]) <= 5 for i in range(len(spans)))
    with pytest.raises(DataError, match=r"data\.special_tokens"):
        planned(RUNNING, **{"data.special_tokens": True})


def test_a_pair_is_two_halves_of_a_block_or_of_two():
    first = torch.tensor([[10, 11, 12, 13, 14], [20, 21, 22, 23, 24]])
    other = torch.tensor([[33, 34, 35], [43, 44, 45]])
    tokens, segment = pair_texts(first, other, torch.tensor([True, False]))
    assert tokens.tolist() == [[BOS, 10, 11, EOS, 12, 13, 14, EOS], [BOS, 20, 21, EOS, 43, 44, 45, EOS]]
    assert segment.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 2


def test_the_other_piece_is_the_second_half_of_another_block_of_the_split():
    plan = planned(RUNNING, **{"data.source.block_size": 7})
    assert plan.facts.target is None and set(plan.facts.fields) == {"tokens", "other"}
    prepared = prepare_for(plan.recipe, plan.base)
    tokens, other = prepared.arrays["tokens"], prepared.arrays["other"]
    assert isinstance(other, Spans) and other.length == 4 and tokens.length == 7
    for rows in prepared.rows.values():
        places = {int(start) + 3 for start in tokens.starts[rows]}
        assert {int(start) for start in other.starts[rows]} <= places
        assert (other.starts[rows] != tokens.starts[rows] + 3).all()


def test_pairs_are_of_running_text():
    with pytest.raises(DataError, match="use the source `text`"):
        planned(TEXTS, **{"task.next_sentence": True})


@pytest.mark.parametrize(
    ("text", "change", "match"),
    [
        (TEXTS, {"model.pooler": True}, "features of every step"),
        (TEXTS, {"data.source": {"sklearn": "iris"}, "data.inputs": None, "data.tokenizer": None}, "reads one text"),
        (RUNNING, {"data.augment": [{"random_swap": {"p": 0.1}}]}, "moves tokens, but not where the second piece"),
    ],
)
def test_what_it_cannot_learn_is_refused(text, change, match):
    with pytest.raises(RecipeError, match=match):
        planned(text, **change)


# -- metrics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TEXTS, RUNNING])
def test_the_metrics_of_a_network_without_knowledge_are_those_of_chance(text):
    plan, module, batches = built(text)
    for parameter in module.parameters():
        parameter.data.zero_()
    with silence_lightning():
        (found,) = build_trainer(plan).test(module, batches["test"], verbose=False)
    words = len(module.codec.tokens)
    nats = math.log(words) + (math.log(2) if "test/next_sentence_loss" in found else 0)
    assert found["test/loss"] == pytest.approx(nats, rel=1e-5)
    assert found["test/perplexity"] == pytest.approx(words, rel=1e-4)
    assert f"a loss of {nats:.2f} is chance" in plan.warnings[0].message


def test_loss_and_accuracy_are_of_the_chosen_tokens_alone():
    plan, module, batches = built(TEXTS, **{"data.split.test": 0.1})
    batch = next(iter(batches["test"]))
    with silence_lightning():
        (found,) = build_trainer(plan).test(module, batches["test"], verbose=False)
    module.eval()
    tokens = batch["text"]
    index = torch.arange(len(tokens))[:, None] * 1009 + torch.arange(tokens.shape[1])
    masked = module.mask({**batch, "tokens": tokens}, torch.special.ndtr(module.noise(index, (3,))))
    network, chosen = module.networks["network"], masked["chosen"]
    logits = network.heads.masked_tokens(network.body(masked["masked_tokens"], module.context_of(batch)))
    nats = -logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    assert found["test/loss"] == pytest.approx(nats[chosen].mean().item(), rel=1e-5)
    right = (logits.argmax(-1) == tokens)[chosen].float().mean().item()
    assert found["test/accuracy"] == pytest.approx(right, rel=1e-5)


def test_masks_are_new_in_every_training_step(monkeypatch):
    _, module, batches = built(TEXTS)
    batch = next(iter(batches["train"]))
    monkeypatch.setattr(type(module), "splits_batches", False)
    losses = {module.eval().loss(module.prepare_step(batch)).item() for _ in range(4)}
    assert len(losses) == 4


def test_the_loss_of_pairs_is_added_and_measured_by_itself():
    plan, module, batches = built(RUNNING)
    module.networks["network"].heads.next_sentence = Always(torch.tensor([0.0, 2.0]))
    with silence_lightning():
        (found,) = build_trainer(plan).test(module, batches["test"], verbose=False)
    rows = len(batches["test"].rows)
    coins = torch.special.ndtr(module.noise(torch.arange(rows), (3,)))[:, 0] < 0.5
    nats = F.cross_entropy(torch.tensor([[0.0, 2.0]]).expand(rows, 2), coins.long()).item()
    assert found["test/next_sentence_loss"] == pytest.approx(nats, rel=1e-5)
    assert found["test/next_sentence_accuracy"] == pytest.approx(coins.float().mean().item(), rel=1e-5)
    assert found["test/loss"] == pytest.approx(math.log(found["test/perplexity"]) + nats, rel=1e-4)


def test_it_learns_which_words_stand_together():
    Path("text.txt").write_text("".join(c * 8 for c in "abcd" * 60))
    run = train(RUNNING, **{"train.epochs": 8, "task.next_sentence": False, "data.split.val": 0.25})
    assert run.metrics["test/accuracy"] > 0.8


def test_texts_are_written_with_what_was_put_into_them():
    plan, module, batches = built(TEXTS, **{"task.num_examples": 2})
    with silence_lightning():
        build_trainer(plan).test(module, batches["test"], verbose=False)
    lines = module.generated_texts()["masked"].strip().split("\n\n")
    assert len(lines) == 2 and all("[" in line for line in lines)


def test_predictions_are_the_mean_features_of_real_tokens():
    plan, module, batches = built(TEXTS)
    batch = next(iter(batches["test"]))
    whole = module.eval().predict_step(batch, 0)
    row = int(batch["text.mask"].sum(1).argmin())
    length = int(batch["text.mask"][row].sum())
    alone = module.predict_step({"rows": batch["rows"][[row]], "text": batch["text"][[row], :length]}, 0)
    assert torch.allclose(whole[row], alone[0], atol=1e-5)
    assert set(plan.recipe.task.predictions_table(whole.detach().numpy(), plan.facts)) == {
        f"feature_{i + 1}" for i in range(16)
    }


# -- going on, and beginning anew -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TEXTS, RUNNING])
def test_it_goes_on_exactly(text):
    whole = train(text)
    original, steps = MaskedLMModule.train_batch, []

    def train_batch(self, *args):
        steps.append(1)
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MaskedLMModule, "train_batch", train_batch)
        with pytest.raises(SystemExit):
            train(text)
    run = dlx.resume("last", console=Console(file=io.StringIO()))
    one, other = (load_checkpoint(list_checkpoints(r.folder / "checkpoints")[0])["state_dict"] for r in (whole, run))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert run.metrics == whole.metrics
    assert dlx.evaluate(str(run.folder)).metrics["test/loss"] == run.metrics["test/loss"]


def test_a_classifier_begins_with_what_was_learned_of_words():
    before = train(TEXTS)
    module = build_module(planned(MOODS))
    learned = load_checkpoint(before.checkpoint)["state_dict"]
    own = {n: v for n, v in module.state_dict().items() if n.startswith("networks.network.body.")}
    assert own and all(torch.equal(v, learned[n]) for n, v in own.items())
    assert planned(MOODS).facts.fields["text"].vocab == planned(TEXTS).facts.fields["text"].vocab
    run = train(MOODS)
    assert dlx.evaluate(str(run.folder)).metrics["test/accuracy"] == run.metrics["test/accuracy"]
    Path("new.csv").write_text("text\nthe good glad\n")
    assert len(dlx.predict(str(run.folder), ["new.csv"])) == 1
    with pytest.raises(UsageError, match=r"head\.1\.weight: 2 × 16 here, not there"):
        build_module(planned(MOODS, init_from="texts"))


def test_a_vocabulary_of_its_own_does_not_fit():
    train(TEXTS)
    with pytest.raises((UsageError, RecipeError), match=r"body\.0\.weight"):
        build_module(planned(MOODS, **{"data.tokenizer": "word"}))


def test_the_tokenizer_of_a_run_is_found_by_name_and_field():
    run = train(TEXTS)
    stored = json.loads((run.folder / "tokenizers.json").read_text())
    assert list(stored) == ["text"]
    tokens = restore(stored["text"]).tokens
    for where in ({"run": "texts"}, {"run": str(run.folder)}, {"run": "last", "field": "text"}):
        facts = planned(MOODS, **{"data.tokenizer": {"pretrained": where}}).facts
        assert list(restore(facts.tokenizers["text"]).tokens) == list(tokens)
    with pytest.raises(DataError, match="has no such field; there are text"):
        planned(MOODS, **{"data.tokenizer": {"pretrained": {"run": "texts", "field": "words"}}})
    other = {**stored, "other": {**stored["text"], "state": {"symbols": ["a"]}}}
    (run.folder / "tokenizers.json").write_text(json.dumps(other))
    with pytest.raises(DataError, match="name the field of one"):
        planned(MOODS)
    shutil.rmtree(run.folder)
    with pytest.raises(UsageError, match="no run 'texts'"):
        planned(MOODS)


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
    plan = planned(STAGES)
    one, other = (restore(stage.facts.tokenizers["text"]) for stage in plan.stages.values())
    assert list(one.tokens) == list(other.tokens) and one.tokens[-1] == "<mask>"
    run = train(STAGES)
    moods = next(run.folder.rglob("*moods*/checkpoints/best.ckpt"))
    assert dlx.evaluate(str(moods)).metrics["test/accuracy"] == run.metrics["test/accuracy"]
    with pytest.raises((DataError, RecipeError), match="no earlier stage 'wrods'"):
        planned(STAGES.replace("{pretrained: {stage: words}}", "{pretrained: {stage: wrods}}"))


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
