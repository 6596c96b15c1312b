"""Masked language modeling: masking, next-sentence pairs, metrics, and what another task begins with."""

import json
import math

import pytest
import torch
from kit import build, make_plan, measure
from masked_texts import RUNNING, TEXTS, write_texts
from torch.nn import functional as F

from dlx.data.prepare import prepare_for
from dlx.errors import DataError, RecipeError
from dlx.facts import DataFacts
from dlx.sources import Spans
from dlx.tasks import Task
from dlx.tasks.masked_lm.masking import mask_tokens, pair_texts
from dlx.tokenizers import BOS, EOS, PAD, restore


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_texts(tmp_path)


def built(text, **changes):
    plan = make_plan(text, changes)
    return plan, *build(plan)


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
    with_mask, without = make_plan(TEXTS, drawn), make_plan(TEXTS, {"task": "classification", **drawn})
    one, other = (restore(plan.facts.tokenizers["text"]) for plan in (with_mask, without))
    assert list(one.tokens) == [*other.tokens, "<mask>"]
    assert one.special("<mask>") == len(other.tokens)
    assert "specials" not in without.facts.tokenizers["text"]
    assert one.decode([one.special("<mask>"), 4, 5]) == other.decode([4, 5])
    again = DataFacts.from_json(json.loads(json.dumps(with_mask.facts.to_json())))
    assert list(restore(again.tokenizers["text"]).tokens) == list(one.tokens)


def test_texts_may_begin_and_end_with_tokens_that_say_so():
    plan = make_plan(TEXTS, {"data.special_tokens": True, "data.max_length": 5})
    prepared = prepare_for(plan.recipe, plan.base)
    spans = prepared.arrays["text"]
    assert all(spans[i][0] == BOS and spans[i][-1] == EOS and len(spans[i]) <= 5 for i in range(len(spans)))
    with pytest.raises(DataError, match=r"data\.special_tokens"):
        make_plan(RUNNING, {"data.special_tokens": True})


def test_a_pair_is_two_halves_of_a_block_or_of_two():
    first = torch.tensor([[10, 11, 12, 13, 14], [20, 21, 22, 23, 24]])
    other = torch.tensor([[33, 34, 35], [43, 44, 45]])
    tokens, segment = pair_texts(first, other, torch.tensor([True, False]))
    assert tokens.tolist() == [[BOS, 10, 11, EOS, 12, 13, 14, EOS], [BOS, 20, 21, EOS, 43, 44, 45, EOS]]
    assert segment.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 2


def test_the_other_piece_is_the_second_half_of_another_block_of_the_split():
    plan = make_plan(RUNNING, {"data.source.block_size": 7})
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
        make_plan(TEXTS, {"task.next_sentence": True})


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
        make_plan(text, change)


# -- metrics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TEXTS, RUNNING])
def test_the_metrics_of_a_network_without_knowledge_are_those_of_chance(text):
    plan, module, batches = built(text)
    for parameter in module.parameters():
        parameter.data.zero_()
    found = measure(plan, module, batches)
    words = len(module.codec.tokens)
    nats = math.log(words) + (math.log(2) if "test/next_sentence_loss" in found else 0)
    assert found["test/loss"] == pytest.approx(nats, rel=1e-5)
    assert found["test/perplexity"] == pytest.approx(words, rel=1e-4)
    assert f"a loss of {nats:.2f} is chance" in plan.warnings[0].message


def test_loss_and_accuracy_are_of_the_chosen_tokens_alone():
    plan, module, batches = built(TEXTS, **{"data.split.test": 0.1})
    batch = next(iter(batches["test"]))
    found = measure(plan, module, batches)
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
    found = measure(plan, module, batches)
    rows = len(batches["test"].rows)
    coins = torch.special.ndtr(module.noise(torch.arange(rows), (3,)))[:, 0] < 0.5
    nats = F.cross_entropy(torch.tensor([[0.0, 2.0]]).expand(rows, 2), coins.long()).item()
    assert found["test/next_sentence_loss"] == pytest.approx(nats, rel=1e-5)
    assert found["test/next_sentence_accuracy"] == pytest.approx(coins.float().mean().item(), rel=1e-5)
    assert found["test/loss"] == pytest.approx(math.log(found["test/perplexity"]) + nats, rel=1e-4)


def test_texts_are_written_with_what_was_put_into_them():
    plan, module, batches = built(TEXTS, **{"task.num_examples": 2})
    measure(plan, module, batches)
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
