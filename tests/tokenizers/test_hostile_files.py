"""Tokenizer files from elsewhere: refused with one sentence, whatever is in them."""

import json

import pytest

from dlx.errors import DataError
from dlx.tokenizers import Tokenizer
from dlx.tokenizers._library import check_tokenizer_json, explain_library_errors, restore_library_codec

tokenizers = pytest.importorskip("tokenizers")


def content(pattern=None):
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    if pattern is not None:
        made.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    return json.loads(made.to_str())


def read(path, text):
    path.write_text(text)
    return Tokenizer.model_validate({"pretrained": str(path)}).train(["a"], path.parent)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(\w*)*b", r"((x+))+y", r"(a+){2,}"])
def test_a_pattern_that_repeats_a_repetition_is_refused(tmp_path, pattern):
    with pytest.raises(DataError, match="repeats a repetition"):
        read(tmp_path / "t.json", json.dumps(content(pattern)))


def test_the_patterns_of_published_tokenizers_pass():
    gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    llama = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    for pattern in (gpt2, llama):
        check_tokenizer_json(content(pattern))
    check_tokenizer_json({"model": {"vocab": {"Regex": "(a+)+"}}})  # a word of a vocabulary is no pattern


@pytest.mark.parametrize("text", ["[" * 100_000, '{"model":' * 100_000, "{}", "[]", "3", "not JSON", '{"model": {}}'])
def test_what_is_no_tokenizer_is_one_sentence(tmp_path, text):
    with pytest.raises(DataError, match=r"t\.json: not a tokenizer"):
        read(tmp_path / "t.json", text)


def test_a_panic_of_the_library_is_a_data_error():
    class PanicException(BaseException):  # as pyo3 has it
        pass

    codec = restore_library_codec({"json": content()})

    class Panicking:
        def encode_batch(self, *_, **__):
            raise PanicException("called `Result::unwrap()` on an `Err` value")

    codec.tokenizer = Panicking()
    with pytest.raises(DataError, match="the tokenizer fails: called"):
        codec.encode(["a"])
    with pytest.raises(KeyboardInterrupt), explain_library_errors():
        raise KeyboardInterrupt
