"""Running text and pairs of texts: what files hold, and which line is bad."""

import gzip

import pytest
from kit import load_source

from dlx.data.encode_new import encode_new_inputs
from dlx.data.prepare import prepare
from dlx.errors import DataError
from dlx.recipe.schema.data import Data
from dlx.tokenizers import restore


def test_text_reads_files_folders_and_patterns_in_the_order_of_their_names(tmp_path):
    (tmp_path / "b.txt").write_text("two\r\nlines\n", newline="")
    (tmp_path / "a.txt").write_text("é first")
    (tmp_path / "c.md").write_text("other")
    assert list(load_source({"text": "b.txt"}, tmp_path).columns["text"].values) == ["two\nlines\n"]
    assert list(load_source({"text": "*.txt"}, tmp_path).columns["text"].values) == ["é first", "two\nlines\n"]
    assert len(load_source({"text": str(tmp_path)}).columns["text"]) == 3
    lines = load_source({"text": {"path": "b.txt", "documents": "lines", "val_path": "a.txt"}}, tmp_path)
    assert list(lines.columns["text"].values) == ["two", "lines", "é first"]
    assert list(lines.splits) == ["train", "train", "val"]


def test_text_names_the_file_and_line_that_is_no_text(tmp_path):
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.txt").write_bytes(b"one\ntw\xff")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(DataError, match=r"(?s)bad\.txt:2: not utf-8.*empty\.txt: the file is empty"):
        load_source({"text": "*.txt"}, tmp_path)
    left = load_source({"text": "*.txt"}, tmp_path, "skip")
    assert list(left.columns["text"].values) == ["good"] and len(left.problems) == 2
    for path in ("absent.txt", "*.none"):
        with pytest.raises(DataError, match=r"no such file|no files found"):
            load_source({"text": path}, tmp_path)


def test_parallel_text_reads_pairs_of_lines_gzipped_or_not(tmp_path):
    (tmp_path / "a.en").write_text("one\ntwo \n")
    with gzip.open(tmp_path / "a.de.gz", "wt") as file:
        file.write("eins\nzwei")
    samples = load_source({"parallel_text": {"path": ["a.en", "a.de.gz"], "test_path": ["a.en", "a.en"]}}, tmp_path)
    assert list(samples.columns["source"].values) == ["one", "two", "one", "two"]
    assert list(samples.columns["target"].values) == ["eins", "zwei", "one", "two"]
    assert list(samples.splits) == ["train", "train", "test", "test"]


def test_parallel_text_names_what_does_not_pair(tmp_path):
    (tmp_path / "a").write_text("one\n\nthree\n")
    (tmp_path / "b").write_text("eins\nzwei\ndrei\n")
    (tmp_path / "c").write_text("eins\nzwei\n")
    with pytest.raises(DataError, match=r"a:2: the line is empty"):
        load_source({"parallel_text": {"path": ["a", "b"]}}, tmp_path)
    assert len(load_source({"parallel_text": {"path": ["a", "b"]}}, tmp_path, "skip").columns["source"]) == 2
    with pytest.raises(DataError, match=r"a has 3 lines, but .*c has 2"):
        load_source({"parallel_text": {"path": ["a", "c"]}}, tmp_path)


def test_a_gzip_bomb_is_refused(tmp_path):
    with gzip.open(tmp_path / "bomb.txt.gz", "wb") as file:
        for _ in range(70):
            file.write(bytes(1 << 20))
    assert (tmp_path / "bomb.txt.gz").stat().st_size < 1 << 17
    with pytest.raises(DataError, match=r"bomb.txt.gz: decompresses to more than .* a zip bomb"):
        load_source({"text": "bomb.txt.gz"}, tmp_path)


def test_text_to_predict_from_is_read_by_the_column_that_training_knew(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\nnone of it,0\nall of it,1\n" * 10)
    spec = {"table": {"path": "train.csv", "target": "label", "types": {"text": "text"}}}
    data = Data.model_validate({"source": spec})
    facts = prepare(data, tmp_path, "classes").facts
    (tmp_path / "new.csv").write_text("label,text\n,all none NA\n")
    column = data.source.read_inputs([tmp_path / "new.csv"], facts).columns["text"]
    assert list(column.values) == ["all none NA"] and column.kind == "text"
    codec = restore(facts.tokenizers["text"])
    assert codec.decode(encode_new_inputs({"text": column}, facts)[0]["text"][0].tolist()) == "all none"
