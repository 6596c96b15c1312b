"""Metrics of texts are those of sacrebleu, with every option and over any batches."""

from dataclasses import replace
from pathlib import Path

import pytest
import sacrebleu
import torch
from targets import target_facts

from dlx.metrics import Metric
from dlx.tokenizers import Tokenizer, restore, store

REFERENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "It's 10 o'clock: time, at last, for tea!",
    "Nobody expects 3.14 (or so) apples.",
    "A short one",
]
GENERATED = [
    "the quick brown fox jumped over a lazy dog .",
    "It's 10 o'clock : time at last, for Tea!",
    "nobody expects 3.14 (or so) apples.",
    "A short one",
]


@pytest.fixture
def facts():
    byte = Tokenizer.model_validate("byte")
    return replace(target_facts("tokens", 3), tokenizers={"target": store(byte, byte.train(REFERENCES, Path()))})


def bleu_of(fields, facts, sizes):
    metric = Metric.model_validate({"bleu": fields}).build(facts)
    codec, begin = restore(facts.tokenizers["target"]), 0
    for size in sizes:
        part = slice(begin, begin + size)
        metric.update(codec.encode(GENERATED[part]), codec.encode(REFERENCES[part]))
        begin += size
    return metric.compute().item()


@pytest.mark.parametrize("tokenize", ["13a", "intl", "char", "none"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_bleu_is_sacrebleus_with_every_option_and_over_any_batches(facts, lowercase, tokenize):
    expected = sacrebleu.corpus_bleu(GENERATED, [REFERENCES], lowercase=lowercase, tokenize=tokenize).score
    for sizes in ((4,), (1, 3), (2, 1, 1)):
        assert bleu_of({"lowercase": lowercase, "tokenize": tokenize}, facts, sizes) == pytest.approx(expected)


def test_the_options_of_bleu_make_a_difference(facts):
    values = [
        bleu_of({"lowercase": lowercase, "tokenize": tokenize}, facts, (4,))
        for lowercase in (False, True)
        for tokenize in ("13a", "intl", "char", "none")
    ]
    assert len({round(value, 3) for value in values}) == len(values)


def test_bleu_has_a_brevity_penalty_and_smooths_orders_without_a_match(facts):
    codec = restore(facts.tokenizers["target"])
    for generated, reference in (("a b c d", "a b c d e f g h"), ("a b x y", "a b c d"), ("", "a b")):
        metric = Metric.model_validate({"bleu": {"tokenize": "none"}}).build(facts)
        metric.update(codec.encode([generated]), codec.encode([reference]))
        expected = sacrebleu.corpus_bleu([generated], [[reference]], tokenize="none").score
        assert metric.compute().item() == pytest.approx(expected)


def test_exact_match_counts_whole_texts():
    metric = Metric.model_validate("exact_match").build(target_facts("tokens", 3))
    metric.update([[1, 2], [3]], [[1, 2], [3, 4]])
    metric.update(torch.tensor([[5, 6]]), torch.tensor([[5, 6]]))
    assert metric.compute().item() == pytest.approx(2 / 3)
