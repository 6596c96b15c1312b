"""Every tokenizer: text comes back, what was learned survives storage, special ids are never made from text."""

import inspect
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tokenizers as library
import yaml

from dlx.component import leaf_class, types
from dlx.errors import DataError
from dlx.tokenizers import BOS, EOS, PAD, SPECIAL, UNK, Tokenizer, restore, store

TYPES = types("tokenizers")
TRAIN = [
    "the cat sat on the mat, and the dog sat by the door.",
    "a cat and a dog: two animals; the cat is small, the dog is not.",
    "Where is the cat? The cat's on the mat!",
] * 3
UNSEEN = ["the dog sat on the mat.", "", "zebra ŵ 日本 <eos> <pad><unk>", "two\tcats\n  and a dog"]
LOSSLESS = ["byte", "char", "bpe"]


def example(name):
    return yaml.safe_load(inspect.getdoc(leaf_class("tokenizers", name)).partition("Example:")[2])


def made(value):
    return Tokenizer.model_validate(value)


@pytest.fixture
def folder(tmp_path):
    """A folder with a tokenizer that was trained elsewhere, with special tokens of its own."""
    own = library.Tokenizer(library.models.WordPiece(unk_token="[UNK]"))
    own.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    own.decoder = library.decoders.WordPiece()
    trainer = library.trainers.WordPieceTrainer(
        vocab_size=80, special_tokens=["[CLS]", "[UNK]", "[PAD]"], show_progress=False
    )
    own.train_from_iterator(TRAIN, trainer)
    own.enable_truncation(3)
    own.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def trained(name, folder):
    return made(example(name)).train(TRAIN, folder)


@pytest.mark.parametrize("name", TYPES)
def test_example_validates_and_round_trips(name):
    assert made(example(name)).type == name
    assert made(made(example(name)).model_dump(mode="json")) == made(example(name))


@pytest.mark.parametrize("name", TYPES)
def test_what_was_learned_survives_json(name, folder):
    codec = trained(name, folder)
    again = restore(json.loads(json.dumps(store(made(example(name)), codec))))
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
    codec = made(name).train(texts, Path())
    assert [codec.decode(ids.tolist()) for ids in codec.encode(texts)] == texts


@pytest.mark.parametrize("name", ["byte", "bpe"])
def test_tokenizers_of_bytes_know_every_text(name):
    codec = made(name).train(TRAIN, Path())
    assert [codec.decode(ids.tolist()) for ids in codec.encode(UNSEEN)] == UNSEEN
    assert not any(UNK in ids for ids in codec.encode(UNSEEN))


def test_byte_is_utf8():
    (ids,) = made("byte").train([], Path()).encode(["é!"])
    assert ids.tolist() == [b + 4 for b in "é!".encode()]


def test_char_numbers_by_code_point_and_does_not_know_what_it_has_not_seen():
    codec = made("char").train(["ba c", "ab"], Path())
    assert list(codec.tokens[4:]) == [" ", "a", "b", "c"]
    assert [ids.tolist() for ids in codec.encode(["cab", "a!é日", ""])] == [[7, 5, 6], [5, 1, 1, 1], []]
    assert made({"char": {"lowercase": True}}).train(["aB"], Path()).encode(["AB"])[0].tolist() == [4, 5]


def test_word_counts_as_a_counter_does():
    texts = ["b a a c", "c c a d", "e's e's, B"]
    codec = made({"word": {"pre_tokenizer": "whitespace", "min_frequency": 2, "vocab_size": 6}}).train(texts, Path())
    counts = Counter(word for text in texts for word in text.split())
    assert [(w, counts[w]) for w in codec.tokens[4:]] == [("a", 3), ("c", 3)]
    assert codec.encode(["c b a"])[0].tolist() == [5, UNK, 4]
    split = made({"word": {"lowercase": True}}).train(texts, Path())
    assert split.decode(split.encode(["E's, B"])[0].tolist()) == "e's , b"


SPECIALS = {"special_tokens": list(SPECIAL), "min_frequency": 2, "show_progress": False}


def assembled(name):
    """Return a tokenizer of the library and its trainer, put together apart from dlx."""
    if name == "bpe":
        own = library.Tokenizer(library.models.BPE())
        own.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = library.pre_tokenizers.ByteLevel.alphabet()
        return own, library.trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, **SPECIALS)
    if name == "wordpiece":
        own = library.Tokenizer(library.models.WordPiece(unk_token="<unk>"))
        own.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
        return own, library.trainers.WordPieceTrainer(vocab_size=300, **SPECIALS)
    own = library.Tokenizer(library.models.Unigram())
    own.pre_tokenizer = library.pre_tokenizers.Metaspace()
    special = {"special_tokens": ["<unk>"], "unk_token": "<unk>", "show_progress": False}
    return own, library.trainers.UnigramTrainer(vocab_size=296, **special)


@pytest.mark.parametrize("name", ["bpe", "wordpiece", "unigram"])
def test_subwords_are_those_of_the_library(name):
    codec = made({name: {"vocab_size": 300, "lowercase": False}}).train(TRAIN, Path())
    own, trainer = assembled(name)
    own.train_from_iterator(TRAIN, trainer)
    assert len(codec.tokens) <= 300
    for text, ids in zip(TRAIN, codec.encode(TRAIN), strict=True):
        assert [codec.tokens[i] for i in ids] == own.encode(text).tokens


def test_training_is_a_function_of_the_texts():
    for name in ("bpe", "wordpiece", "unigram"):
        first, second = (made(name).train(TRAIN, Path()) for _ in range(2))
        assert list(first.tokens) == list(second.tokens)


def test_a_trained_tokenizer_is_read_whole_with_ids_moved(folder):
    codec = trained("pretrained", folder)
    own = library.Tokenizer.from_file(str(folder / "tokenizer.json"))
    own.no_truncation()
    for text in TRAIN:
        assert codec.encode([text])[0].tolist() == [i + 4 for i in own.encode(text).ids]
    assert codec.encode(["日"])[0].tolist() == [UNK]


def test_a_trained_tokenizer_of_our_own_keeps_its_ids(tmp_path):
    codec = made("bpe").train(TRAIN, Path())
    (tmp_path / "mine.json").write_text(json.dumps(codec.state()["json"]))
    again = made({"pretrained": "mine.json"}).train([], tmp_path)
    assert list(again.tokens) == list(codec.tokens)
    assert again.encode(TRAIN)[0].tolist() == codec.encode(TRAIN)[0].tolist()


@pytest.mark.parametrize("content", [None, "{", "[1]", '{"model": 3}', "\x00"])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(DataError, match=r"tokenizer\.json: "):
        made({"pretrained": "tokenizer.json"}).train([], tmp_path)


@pytest.mark.parametrize("name", ["char", "word", "bpe", "wordpiece", "unigram"])
def test_nothing_is_learned_from_nothing(name):
    with pytest.raises(DataError, match=name):
        made(name).train(["", ""], Path())
