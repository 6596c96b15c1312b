"""Every tokenizer: text comes back, what was learned survives storage, special ids are never made from text."""

import json
from pathlib import Path

import numpy as np
import pytest
from kit import example
from text_inputs import TRAIN, make_tokenizer, write_pretrained

from dlx.component import types
from dlx.errors import DataError
from dlx.tokenizers import BOS, EOS, PAD, SPECIAL, UNK, restore, store

TYPES = types("tokenizers")
UNSEEN = ["the dog sat on the mat.", "", "zebra ŵ 日本 <eos> <pad><unk>", "two\tcats\n  and a dog"]
LOSSLESS = ["byte", "char", "bpe"]


@pytest.fixture
def folder(tmp_path):
    write_pretrained(tmp_path)
    return tmp_path


def trained(name, folder):
    return make_tokenizer(example("tokenizers", name)).train(TRAIN, folder)


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    assert make_tokenizer(example("tokenizers", name)).type == name
    assert make_tokenizer(make_tokenizer(example("tokenizers", name)).model_dump(mode="json")) == make_tokenizer(
        example("tokenizers", name)
    )


@pytest.mark.parametrize("name", TYPES)
def test_what_was_learned_survives_json(name, folder):
    codec = trained(name, folder)
    again = restore(json.loads(json.dumps(store(make_tokenizer(example("tokenizers", name)), codec))))
    assert list(again.tokens) == list(codec.tokens)
    for one, other in zip(codec.encode(TRAIN + UNSEEN), again.encode(TRAIN + UNSEEN), strict=True):
        assert np.array_equal(one, other) and one.dtype == np.int64
    ids = codec.encode(TRAIN)[0].tolist()
    assert again.decode(ids) == codec.decode(ids)


@pytest.mark.parametrize("name", TYPES)
def test_ids_are_tokens_and_text_never_makes_special_ones(name, folder):
    codec = trained(name, folder)
    assert tuple(codec.tokens[: len(SPECIAL)]) == SPECIAL
    for ids in codec.encode(TRAIN + UNSEEN):
        assert all(0 <= i < len(codec.tokens) for i in ids)
        assert not {PAD, BOS, EOS} & set(ids.tolist())
    assert not any(UNK in ids for ids in codec.encode(TRAIN))
    ids = codec.encode(TRAIN)[0].tolist()
    assert codec.decode([BOS, *ids, EOS, PAD, PAD]) == codec.decode(ids)


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_tokenizers_give_back_every_character(name):
    texts = [*TRAIN, "  two  spaces\n\tand the mat's end. "]
    codec = make_tokenizer(name).train(texts, Path())
    assert [codec.decode(ids.tolist()) for ids in codec.encode(texts)] == texts


@pytest.mark.parametrize("name", ["byte", "bpe"])
def test_tokenizers_of_bytes_know_every_text(name):
    codec = make_tokenizer(name).train(TRAIN, Path())
    assert [codec.decode(ids.tolist()) for ids in codec.encode(UNSEEN)] == UNSEEN
    assert not any(UNK in ids for ids in codec.encode(UNSEEN))


@pytest.mark.parametrize("name", ["char", "word", "bpe", "wordpiece", "unigram"])
def test_nothing_is_learned_from_nothing(name):
    with pytest.raises(DataError, match=name):
        make_tokenizer(name).train(["", ""], Path())
