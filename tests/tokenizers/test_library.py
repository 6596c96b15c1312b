"""Tokenizers against the library of the same name, and counts by hand."""

import json
from collections import Counter
from pathlib import Path

import pytest
import tokenizers as library
from kit import example
from text_inputs import TRAIN, make_tokenizer, write_pretrained

from dlx.errors import DataError
from dlx.tokenizers import SPECIAL, UNK


def test_byte_is_utf8():
    (ids,) = make_tokenizer("byte").train([], Path()).encode(["é!"])
    assert ids.tolist() == [b + 4 for b in "é!".encode()]


def test_char_numbers_by_code_point_and_does_not_know_what_it_has_not_seen():
    codec = make_tokenizer("char").train(["ba c", "ab"], Path())
    assert list(codec.tokens[4:]) == [" ", "a", "b", "c"]
    assert [ids.tolist() for ids in codec.encode(["cab", "a!é日", ""])] == [[7, 5, 6], [5, 1, 1, 1], []]
    assert make_tokenizer({"char": {"lowercase": True}}).train(["aB"], Path()).encode(["AB"])[0].tolist() == [4, 5]


def test_word_counts_as_a_counter_does():
    texts = ["b a a c", "c c a d", "e's e's, B"]
    codec = make_tokenizer({"word": {"pre_tokenizer": "whitespace", "min_frequency": 2, "vocab_size": 6}}).train(
        texts, Path()
    )
    counts = Counter(word for text in texts for word in text.split())
    assert [(w, counts[w]) for w in codec.tokens[4:]] == [("a", 3), ("c", 3)]
    assert codec.encode(["c b a"])[0].tolist() == [5, UNK, 4]
    split = make_tokenizer({"word": {"lowercase": True}}).train(texts, Path())
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
    codec = make_tokenizer({name: {"vocab_size": 300, "lowercase": False}}).train(TRAIN, Path())
    own, trainer = assembled(name)
    own.train_from_iterator(TRAIN, trainer)
    assert len(codec.tokens) <= 300
    for text, ids in zip(TRAIN, codec.encode(TRAIN), strict=True):
        assert [codec.tokens[i] for i in ids] == own.encode(text).tokens


def test_training_is_a_function_of_the_texts():
    for name in ("bpe", "wordpiece", "unigram"):
        first, second = (make_tokenizer(name).train(TRAIN, Path()) for _ in range(2))
        assert list(first.tokens) == list(second.tokens)


def test_a_trained_tokenizer_is_read_whole_with_ids_moved(tmp_path):
    write_pretrained(tmp_path)
    codec = make_tokenizer(example("tokenizers", "pretrained")).train(TRAIN, tmp_path)
    own = library.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    own.no_truncation()
    for text in TRAIN:
        assert codec.encode([text])[0].tolist() == [i + 4 for i in own.encode(text).ids]
    assert codec.encode(["日"])[0].tolist() == [UNK]


def test_a_trained_tokenizer_of_our_own_keeps_its_ids(tmp_path):
    codec = make_tokenizer("bpe").train(TRAIN, Path())
    (tmp_path / "mine.json").write_text(json.dumps(codec.state()["json"]))
    again = make_tokenizer({"pretrained": "mine.json"}).train([], tmp_path)
    assert list(again.tokens) == list(codec.tokens)
    assert again.encode(TRAIN)[0].tolist() == codec.encode(TRAIN)[0].tolist()


@pytest.mark.parametrize("content", [None, "{", "[1]", '{"model": 3}', "\x00"])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(DataError, match=r"tokenizer\.json: "):
        make_tokenizer({"pretrained": "tokenizer.json"}).train([], tmp_path)
