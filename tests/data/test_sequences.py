"""Sequences on their way to a batch: what is learned, how they are cut, split, ordered and padded."""

import json

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from dlx.data.cache import facts_key
from dlx.data.encode_new import prepare_new_data
from dlx.data.prepare import prepare
from dlx.engine.data.lengths import bucket_by_length
from dlx.engine.data.padding import attention_mask, pad_spans
from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.recipe.schema.data import Data
from dlx.sources import Spans
from dlx.tokenizers import BOS, EOS, UNK, restore

PLAY = "".join(f"Line {i} of a play: to be, or not to be.\n" for i in range(60))


def prepared(folder, kind, **data):
    return prepare(Data.model_validate(data), folder, kind)


def texts(data, field, rows):
    codec = restore(data.facts.tokenizers[field])
    return [codec.decode(data.arrays[field][int(row)].tolist()) for row in rows]


@pytest.fixture
def pairs(tmp_path):
    """Two files of 40 pairs, each line with a number of its own."""
    (tmp_path / "a").write_text("".join(f"word{i} {'again ' * (i % 5)}\n" for i in range(40)))
    (tmp_path / "b").write_text("".join(f"Wort{i} {'nochmal ' * (i % 3)}\n" for i in range(40)))
    return tmp_path


PAIRS = {"source": {"parallel_text": {"path": ["a", "b"]}}, "split": {"val": 0.25, "test": 0.25}}


def test_vocabularies_come_from_the_train_split_alone(pairs):
    data = prepared(pairs, "tokens", **PAIRS, tokenizer={"source": "word", "target": "char"})
    lines = (pairs / "a").read_text().splitlines()
    train = {word for row in data.rows["train"] for word in lines[row].split()}
    assert set(restore(data.facts.tokenizers["source"]).tokens[4:]) == train
    held_out = np.concatenate([data.rows["val"], data.rows["test"]])
    assert all(data.arrays["source"][int(row)][0] == UNK for row in held_out)
    assert not any((data.arrays["source"][int(row)] == UNK).any() for row in data.rows["train"])


def test_text_comes_back_from_ids_and_a_target_has_both_ends(pairs):
    data = prepared(pairs, "tokens", **PAIRS, tokenizer="byte")
    for field, file in (("source", "a"), ("target", "b")):
        lines = [line.strip() for line in (pairs / file).read_text().splitlines()]
        assert texts(data, field, range(40)) == lines
    ids = data.arrays["target"][0]
    assert (ids[0], ids[-1]) == (BOS, EOS) and not {BOS, EOS} & set(ids[1:-1].tolist())
    assert not {BOS, EOS} & set(data.arrays["source"][0].tolist())


def test_one_tokenizer_serves_all_fields_or_each_has_its_own(pairs):
    shared = prepared(pairs, "tokens", **PAIRS, tokenizer="word").facts
    assert shared.tokenizers["source"] == shared.tokenizers["target"]
    assert {"again", "nochmal"} <= set(restore(shared.tokenizers["source"]).tokens)
    with pytest.raises(DataError, match="fields with text are source, target"):
        prepared(pairs, "tokens", **PAIRS, tokenizer={"source": "word", "traget": "word"})


def test_facts_say_what_sequences_are_and_survive_json(pairs):
    facts = prepared(pairs, "tokens", **PAIRS).facts
    spec = facts.fields["source"]
    assert (spec.dims, spec.axes, spec.dtype, facts.kind) == ((None,), "T", "int64", "tokens")
    assert spec.vocab == (len(restore(facts.tokenizers["source"]).tokens),)
    assert facts.lengths["source"].max == 5 and 1 <= facts.lengths["source"].mean <= 5
    assert DataFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_long_texts_are_cut_off_and_that_is_said(pairs, caplog):
    data = prepared(pairs, "tokens", **PAIRS, max_length=4)
    assert data.arrays["source"].lengths.max() == data.arrays["target"].lengths.max() == 4
    assert data.arrays["target"][2].tolist()[-1] == EOS
    assert "source: 8 of 40 texts are cut off at 4 tokens" in caplog.text


def test_a_text_without_a_token_is_one_unknown_token(tmp_path):
    (tmp_path / "t.csv").write_text("text,label\n" + "some words,a\n,b\n" * 10)
    source = {"table": {"path": "t.csv", "target": "label", "types": {"text": "text"}}}
    data = prepared(tmp_path, "classes", source=source)
    assert data.arrays["text"][1].tolist() == [UNK] and data.facts.classes == ("a", "b")


def test_running_text_is_cut_into_blocks_with_the_next_token_as_target(tmp_path):
    (tmp_path / "play.txt").write_text(PLAY)
    source = {"text": {"path": "play.txt", "block_size": 32}}
    data = prepared(tmp_path, "tokens", source=source, split={"val": 0.2, "test": 0.1})
    test, val = round(0.1 * len(PLAY)), round(0.2 * (len(PLAY) - round(0.1 * len(PLAY))))
    whole = {"train": PLAY[: -test - val], "val": PLAY[-test - val : -test], "test": PLAY[-test:]}
    for part, rows in data.rows.items():
        assert "".join(texts(data, "tokens", rows)) == whole[part][: len(rows) * 32]
        assert "".join(texts(data, "target", rows)) == whole[part][1 : len(rows) * 32 + 1]
        assert len(rows) == (len(whole[part]) - 1) // 32
    assert data.facts.fields["tokens"].dims == (32,) and data.facts.inputs == ("tokens",)
    assert not (data.arrays["tokens"].values == EOS).any()
    assert data.arrays["tokens"].values is data.arrays["target"].values


def test_overlapping_blocks_never_leave_the_train_split(tmp_path):
    (tmp_path / "play.txt").write_text(PLAY.replace("play", "PLAY", 1) + "§" * 300)
    source = {"text": {"path": "play.txt", "block_size": 16, "stride": 1}}
    data = prepared(tmp_path, "tokens", source=source, split={"val": 100, "test": 200})
    assert "§" not in restore(data.facts.tokenizers["tokens"]).tokens
    assert len(data.rows["train"]) == len(PLAY) - 16
    ends = [data.arrays["target"][int(row)] for row in data.rows["train"]]
    assert not any((ids == UNK).any() for ids in ends)
    assert all((data.arrays["tokens"][int(row)] == UNK).all() for row in data.rows["val"])


def test_documents_end_with_the_end_token_and_may_be_dealt_out_whole(tmp_path):
    for i in range(20):
        (tmp_path / f"{i:02d}.txt").write_text(f"{i:02d}" * 20)
    source = {"text": {"path": "*.txt", "block_size": 8}}
    data = prepared(
        tmp_path, "tokens", source=source, split={"by": "random", "val": 0.2, "test": 0.2}, tokenizer="byte"
    )
    codec = restore(data.facts.tokenizers["tokens"])
    seen = {
        part: {codec.decode(data.arrays["tokens"][int(r)][:2].tolist()) for r in rows}
        for part, rows in data.rows.items()
    }
    ids = data.arrays["tokens"].values
    assert (ids == EOS).sum() == 20 and len(seen["train"]) > 1
    assert set(np.diff(np.flatnonzero(ids == EOS))) == {41}


def test_too_little_text_says_which_split(tmp_path):
    (tmp_path / "play.txt").write_text(PLAY)
    with pytest.raises(DataError, match="the val split has 20 tokens, too few for one block of 64"):
        prepared(tmp_path, "tokens", source={"text": "play.txt"}, split={"val": 20, "test": 0})


def test_other_data_are_encoded_as_training_encoded_its_own(pairs):
    data = Data.model_validate({**PAIRS, "max_length": 4})
    facts = prepare(data, pairs, "tokens").facts
    (pairs / "a").write_text("again again\nwordX\n")
    (pairs / "b").write_text("nochmal\nnochmal nochmal nochmal nochmal\n")
    known = prepare_new_data(data, pairs, "tokens", facts)
    again = restore(facts.tokenizers["source"]).encode(["again"])[0][0]
    assert [known.arrays["source"][i].tolist() for i in range(2)] == [[again, again], [UNK]]
    assert [len(known.arrays["target"][i]) for i in range(2)] == [3, 4]


def test_other_running_text_is_cut_alike(tmp_path):
    (tmp_path / "play.txt").write_text(PLAY)
    data = Data.model_validate({"source": {"text": {"path": "play.txt", "block_size": 16}}})
    facts = prepare(data, tmp_path, "tokens").facts
    (tmp_path / "play.txt").write_text("to be, or not to be, that is §")
    known = prepare_new_data(data, tmp_path, "tokens", facts)
    assert texts(known, "tokens", [0]) == ["to be, or not to"] and known.rows["test"].tolist() == [0]


def test_a_series_is_split_by_time_without_overlap(tmp_path):
    (tmp_path / "s.csv").write_text("t,y\n" + "".join(f"{i},{i}\n" for i in range(100)))
    source = {"series": {"path": "s.csv", "time": "t", "target": "y", "history": 10, "horizon": 5}}
    data = prepared(tmp_path, "regression", source=source, split={"val": 10, "test": 20})
    assert data.facts.fields["history"].dims == (10, 1) and data.facts.fields["target"].dims == (5, 1)
    targets = {p: {int(v) for r in rows for v in data.arrays["target"][int(r)].flat} for p, rows in data.rows.items()}
    assert targets == {"train": set(range(10, 70)), "val": set(range(70, 80)), "test": set(range(80, 100))}
    histories = [data.arrays["history"][int(row)] for row in data.rows["train"]]
    assert data.facts.fields["history"].stats.mean[0] == np.unique(histories).mean()
    assert data.facts.fields["target"].stats.high == (69.0,)
    with pytest.raises(DataError, match="val has 3 steps of time, into which no target fits"):
        prepared(tmp_path, "regression", source=source, split={"val": 3, "test": 20})
    with pytest.raises(DataError, match="folds"):
        prepared(tmp_path, "regression", source=source, split={"folds": 3})


def test_a_mask_of_classes_is_a_target():
    facts = prepared(None, "classes", source={"shapes": {"n_samples": 30, "image_size": 16}}).facts
    assert (facts.fields["target"].dims, facts.fields["target"].axes, facts.kind) == ((16, 16), "HW", "classes")
    assert sum(facts.class_counts) == facts.counts["train"] * 256


@pytest.mark.parametrize("size", [1, 7, 64])
def test_buckets_hold_every_sample_once_and_waste_little(size):
    lengths = np.random.default_rng(0).integers(1, 200, 3000)
    batches = bucket_by_length(lengths, size, 1, 2)
    assert sorted(np.concatenate(batches)) == list(range(3000))
    assert sorted(map(len, batches))[1:] == [size] * (len(batches) - 1)
    wasted = sum(lengths[b].max() * len(b) for b in batches) / lengths.sum()
    shuffled = np.random.default_rng(0).permutation(3000).reshape(-1, 4 if size == 1 else 60)
    assert wasted < 1.15 < sum(lengths[b].max() * len(b) for b in shuffled) / lengths.sum()


def test_buckets_are_a_function_of_seed_and_epoch():
    lengths = np.random.default_rng(0).integers(1, 50, 500)

    def flat(seed, epoch):
        return np.concatenate(bucket_by_length(lengths, 8, seed, epoch)).tolist()

    assert flat(1, 2) == flat(1, 2) and flat(1, 2) != flat(1, 3) and flat(1, 2) != flat(2, 2)
    first = [lengths[b].mean() for b in bucket_by_length(lengths, 8, 1, 2)]
    assert abs(np.corrcoef(first, np.arange(len(first)))[0, 1]) < 0.3


@pytest.mark.parametrize("features", [(), (3,)])
def test_a_batch_is_padded_to_its_longest_as_torch_pads(features):
    generator = np.random.default_rng(0)
    sequences = [generator.integers(1, 9, (n, *features)) for n in (3, 1, 0, 5, 2)]
    spans = Spans.of(sequences)
    rows = np.array([4, 0, 2, 0])
    batch = pad_spans(torch.from_numpy(spans.values), spans, rows)
    expected = pad_sequence([torch.from_numpy(sequences[r]) for r in rows], batch_first=True)
    assert torch.equal(batch, expected)
    assert torch.equal(attention_mask(spans, rows), expected.reshape(4, 3, -1)[..., 0] != 0)
    assert pad_spans(torch.from_numpy(spans.values), spans, rows[:1]).shape == (1, 2, *features)


TAGGED = "-DOCSTART- -X- O\n\nU.S. NNP B\nfirms NN O\ndon't VB O\n\n# note\nBonn NNP B\nis VB O\n\nKiel NNP B\n\n" * 10


def test_every_word_has_its_class(tmp_path):
    (tmp_path / "t.conll").write_text(TAGGED)
    source = {"tagged_text": {"path": "t.conll", "tag_column": 3}}
    data = prepared(tmp_path, "classes", source=source)
    assert (data.facts.classes, data.facts.kind) == (("B", "O"), "classes")
    assert (data.facts.fields["target"].axes, data.facts.lengths["target"].max) == ("T", 3)
    assert texts(data, "text", range(3)) == ["U.S. firms don't", "Bonn is", "Kiel"]
    assert [data.arrays["target"][i].tolist() for i in range(3)] == [[0, 1, 1], [0, 1], [0]]
    assert sum(data.facts.class_counts) == sum(data.arrays["target"].lengths[data.rows["train"]])
    cut = prepared(tmp_path, "classes", source=source, max_length=2)
    assert cut.arrays["target"].lengths.max() == 2 and cut.arrays["target"][0].tolist() == [0, 1]
    with pytest.raises(
        DataError, match=r"row 1: 'text' has 6 tokens, but there are 3 classes.*pre_tokenizer: whitespace"
    ):
        prepared(tmp_path, "classes", source=source, tokenizer="word")


def test_classes_of_words_in_other_data_are_those_of_training(tmp_path):
    (tmp_path / "t.conll").write_text(TAGGED)
    data = Data.model_validate({"source": {"tagged_text": {"path": "t.conll", "tag_column": 3}}})
    facts = prepare(data, tmp_path, "classes").facts
    (tmp_path / "t.conll").write_text("firms NN O\nfirms NN O\n")
    assert prepare_new_data(data, tmp_path, "classes", facts).arrays["target"][0].tolist() == [1, 1]
    (tmp_path / "t.conll").write_text("firms NN O\nbroken\n\nBonn NN B\n")
    with pytest.raises(DataError, match=r"t\.conll:2: 1 columns where 3 are expected"):
        prepare(data, tmp_path, "classes")


def test_facts_are_read_anew_when_the_file_of_a_tokenizer_changes(tmp_path):
    (tmp_path / "play.txt").write_text(PLAY)
    (tmp_path / "tokenizer.json").write_text("{}")
    data = Data.model_validate({"source": {"text": "play.txt"}, "tokenizer": {"pretrained": "tokenizer.json"}})
    first = facts_key(data, tmp_path, "tokens")
    (tmp_path / "tokenizer.json").write_text("{} ")
    assert facts_key(data, tmp_path, "tokens") != first
