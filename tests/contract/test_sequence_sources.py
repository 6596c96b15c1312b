"""Sources of sequences: text, series, symbols and sounds hold what their files hold, and name the line that is bad."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image

from dlx.data.encode_new import encode_new_inputs
from dlx.data.prepare import prepare
from dlx.errors import DataError
from dlx.recipe.schema.data import Data
from dlx.sources import Source, Spans
from dlx.tokenizers import restore


def load(spec, base=Path(), on_error="raise"):
    return Source.model_validate(spec).load(Path(base), on_error)


def rows(column):
    return [column.values[i] for i in range(len(column))]


def test_spans_are_slices_of_one_array():
    spans = Spans.of([np.array([1, 2]), np.array([], dtype=int), np.array([3, 4, 5])])
    assert [s.tolist() for s in spans] == [[1, 2], [], [3, 4, 5]]
    assert spans.length is None and spans[[0, 0]].length == 2
    assert [s.tolist() for s in spans[np.array([True, False, True])]] == [[1, 2], [3, 4, 5]]
    windows = Spans(np.arange(10), np.array([1, 2, 6]), np.array([3, 3, 3]))
    assert windows.covered().tolist() == [1, 2, 3, 4, 6, 7, 8]
    assert windows[1:].values is windows.values


def test_text_reads_files_folders_and_patterns_in_the_order_of_their_names(tmp_path):
    (tmp_path / "b.txt").write_text("two\r\nlines\n", newline="")
    (tmp_path / "a.txt").write_text("é first")
    (tmp_path / "c.md").write_text("other")
    assert list(load({"text": "b.txt"}, tmp_path).columns["text"].values) == ["two\nlines\n"]
    assert list(load({"text": "*.txt"}, tmp_path).columns["text"].values) == ["é first", "two\nlines\n"]
    assert len(load({"text": str(tmp_path)}).columns["text"]) == 3
    lines = load({"text": {"path": "b.txt", "documents": "lines", "val_path": "a.txt"}}, tmp_path)
    assert list(lines.columns["text"].values) == ["two", "lines", "é first"]
    assert list(lines.splits) == ["train", "train", "val"]


def test_text_names_the_file_and_line_that_is_no_text(tmp_path):
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.txt").write_bytes(b"one\ntw\xff")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(DataError, match=r"(?s)bad\.txt:2: not utf-8.*empty\.txt: the file is empty"):
        load({"text": "*.txt"}, tmp_path)
    left = load({"text": "*.txt"}, tmp_path, "skip")
    assert list(left.columns["text"].values) == ["good"] and len(left.problems) == 2
    for path in ("absent.txt", "*.none"):
        with pytest.raises(DataError, match=r"no such file|no files found"):
            load({"text": path}, tmp_path)


def test_a_table_has_columns_of_text(tmp_path):
    (tmp_path / "films.tsv").write_text("None of it works\t0\nwell , made\t1\n\t1\n")
    spec = {
        "path": "films.tsv",
        "header": False,
        "columns": ["text", "label"],
        "target": "label",
        "types": {"text": "text"},
    }
    samples = load({"table": spec}, tmp_path)
    assert samples.columns["text"].kind == "text" and samples.inputs == ("text",)
    assert list(samples.columns["text"].values) == ["None of it works", "well , made", None]
    (tmp_path / "films.jsonl").write_text('{"text": "a, \\"b\\"", "label": 1}\n')
    (text,) = load({"table": {"path": "films.jsonl", "types": {"text": "text"}}}, tmp_path).columns["text"].values
    assert text == 'a, "b"'


def test_parallel_text_reads_pairs_of_lines_gzipped_or_not(tmp_path):
    (tmp_path / "a.en").write_text("one\ntwo \n")
    with gzip.open(tmp_path / "a.de.gz", "wt") as file:
        file.write("eins\nzwei")
    samples = load({"parallel_text": {"path": ["a.en", "a.de.gz"], "test_path": ["a.en", "a.en"]}}, tmp_path)
    assert list(samples.columns["source"].values) == ["one", "two", "one", "two"]
    assert list(samples.columns["target"].values) == ["eins", "zwei", "one", "two"]
    assert list(samples.splits) == ["train", "train", "test", "test"]


def test_parallel_text_names_what_does_not_pair(tmp_path):
    (tmp_path / "a").write_text("one\n\nthree\n")
    (tmp_path / "b").write_text("eins\nzwei\ndrei\n")
    (tmp_path / "c").write_text("eins\nzwei\n")
    with pytest.raises(DataError, match=r"a:2: the line is empty"):
        load({"parallel_text": {"path": ["a", "b"]}}, tmp_path)
    assert len(load({"parallel_text": {"path": ["a", "b"]}}, tmp_path, "skip").columns["source"]) == 2
    with pytest.raises(DataError, match=r"a has 3 lines, but .*c has 2"):
        load({"parallel_text": {"path": ["a", "c"]}}, tmp_path)


@pytest.mark.parametrize(("name", "function"), [("copy", list), ("reverse", lambda s: s[::-1]), ("sort", sorted)])
def test_symbols_are_rewritten(name, function):
    samples = load({name: {"n_samples": 200, "min_length": 3, "max_length": 6, "n_symbols": 4}})
    sources, targets = ([text.split() for text in samples.columns[n].values] for n in ("source", "target"))
    assert [function(s) for s in sources] == targets
    assert {len(s) for s in sources} == {3, 4, 5, 6} and {c for s in sources for c in s} == set("abcd")


def test_delayed_recall_asks_for_the_first_letter():
    samples = load({"delayed_recall": {"n_samples": 100, "delay": 7, "n_symbols": 3}})
    texts = [text.split() for text in samples.columns["text"].values]
    classes = samples.columns["target"].classes
    assert [classes[code] for code in samples.columns["target"].values] == [text[0] for text in texts]
    assert {len(text) for text in texts} == {9} and {text[-1] for text in texts} == {"?"}
    assert not {c for text in texts for c in text[1:]} & set(classes)


def test_adding_has_two_marks_and_a_baseline_of_a_sixth():
    samples = load({"adding": {"n_samples": 20000, "length": 11}})
    numbers, marks = np.moveaxis(samples.columns["sequence"].values, 2, 0)
    assert (marks[:, :5].sum(1) == 1).all() and (marks[:, 5:].sum(1) == 1).all()
    total = samples.columns["sum"].values
    assert np.allclose(total, [n[m == 1].sum() for n, m in zip(numbers, marks, strict=True)])
    assert abs(((total - 1) ** 2).mean() - 1 / 6) < 0.005


def test_shapes_are_brighter_than_their_background_and_of_the_area_that_geometry_says():
    samples = load({"shapes": {"n_samples": 300, "image_size": 64, "max_objects": 1, "noise": 0.0}})
    images, masks = samples.columns["image"].values[:, 0], samples.columns["target"].values
    assert images[masks > 0].min() >= 120 > 80 >= images[masks == 0].max()
    for code, filled in ((1, np.pi / 4), (2, 1.0), (3, 0.5)):
        found = [m == code for m in masks if (m == code).any()]
        shares = [f.sum() / ((np.ptp(np.where(f)[0]) + 1) * (np.ptp(np.where(f)[1]) + 1)) for f in found]
        assert abs(np.mean(shares) - filled) < 0.06


SERIES = "day,shop,sold,price\n" + "".join(
    f"2024-02-{27 + d if d < 3 else d - 2:02d},{s},{10 * i + d},{d}\n".replace("2024-02-0", "2024-03-0")
    for i, s in enumerate(("x", "y"))
    for d in range(8)
)


def series(folder, text=SERIES, **fields):
    (folder / "s.csv").write_text(text)
    given = {"path": "s.csv", "time": "day", "series": "shop", "target": "sold", "history": 3, "horizon": 2}
    return load({"series": {**given, **fields}}, folder)


def test_series_are_windows_that_a_loop_would_cut(tmp_path):
    samples = series(tmp_path, covariates=["price"])
    frame = pd.read_csv(tmp_path / "s.csv")
    expected = [
        (part.iloc[i : i + 3][["sold", "price"]].to_numpy(), part.iloc[i + 3 : i + 5][["sold"]].to_numpy(), i + 3)
        for _, part in frame.groupby("shop")
        for i in range(4)
    ]
    assert len(samples.columns["history"]) == len(expected)
    for i, (history, target, when) in enumerate(expected):
        assert np.array_equal(samples.columns["history"].values[i], history)
        assert np.array_equal(samples.columns["target"].values[i], target)
        assert samples.time[i].tolist() == [when, when + 2]


def test_series_in_any_order_of_rows_are_the_same(tmp_path):
    lines = SERIES.splitlines(keepends=True)
    first, second = series(tmp_path), series(tmp_path, "".join([lines[0], *lines[:0:-1]]))
    assert all(map(np.array_equal, rows(first.columns["history"]), rows(second.columns["history"])))


def test_values_known_ahead_are_those_of_the_horizon(tmp_path):
    samples = series(tmp_path, known_covariates=["price"], stride=2)
    assert samples.inputs == ("history", "future") and len(samples.columns["future"]) == 4
    assert samples.columns["future"].values[1].tolist() == [[5], [6]]
    assert samples.columns["history"].names == ("sold", "price")


def test_gaps_are_left_out_carried_on_or_ignored(tmp_path):
    days = [0, 1, 2, 3, 5, 6, 7, 8, 9]
    text = "day,shop,sold\n" + "".join(f"{d},x,{d}\n" for d in days)
    windows = rows(series(tmp_path, text, history=2, horizon=1).columns["history"])
    assert [w[:, 0].tolist() for w in windows] == [[0, 1], [1, 2], [5, 6], [6, 7], [7, 8]]
    carried = rows(series(tmp_path, text, history=2, horizon=1, gaps="forward_fill").columns["history"])
    assert [3, 3] in [w[:, 0].tolist() for w in carried] and len(carried) == 8
    ignored = rows(series(tmp_path, text, history=2, horizon=1, gaps="ignore").columns["history"])
    assert [3, 5] in [w[:, 0].tolist() for w in ignored] and len(ignored) == 7


@pytest.mark.parametrize("freq", ["YS", "QS", "MS", "W", "D", "h", "15min", "s"])
def test_calendars_are_counted_in_equal_steps(tmp_path, freq):
    times = pd.date_range("2023-01-01", periods=40, freq=freq)
    text = "day,shop,sold\n" + "".join(f"{t},x,{i}\n" for i, t in enumerate(times))
    assert len(series(tmp_path, text).columns["history"]) == 36
    missing = "day,shop,sold\n" + "".join(f"{t},x,{i}\n" for i, t in enumerate(times) if i != 20)
    assert len(series(tmp_path, missing).columns["history"]) == 16 + 15


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2024-03-06,x,abc,1\n", r"s\.csv:18: column 'sold': 'abc' is not a number"),
        ("someday,x,1,1\n", r"s\.csv:18: column 'day': 'someday' is not a time"),
        ("2024-02-27,x,1,1\n", r"s\.csv:18: column 'day': '2024-02-27' stands in line 2 too"),
        ("2024-03-06,x,1\n", r"s\.csv:18: 3 cells where 4 columns"),
    ],
)
def test_a_bad_row_of_a_series_is_named(tmp_path, line, reason):
    with pytest.raises(DataError, match=reason):
        series(tmp_path, SERIES + line)
    (tmp_path / "s.csv").write_text(SERIES + line)
    spec = {"path": "s.csv", "time": "day", "series": "shop", "target": "sold", "history": 3, "horizon": 2}
    assert len(load({"series": spec}, tmp_path, "skip").columns["history"]) == 8


def test_series_that_cannot_be_cut_say_why(tmp_path):
    with pytest.raises(DataError, match=r"no window of 30 \+ 2 steps fits; the longest stretch .* has 8"):
        series(tmp_path, history=30)
    with pytest.raises(DataError, match="no column 'sod'; did you mean 'sold'"):
        series(tmp_path, target="sod")


def save(path, pixels, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(path)


def test_masks_are_the_values_of_their_pixels(tmp_path):
    generator = np.random.default_rng(0)
    masks = generator.integers(0, 3, (4, 6, 5))
    for i, mask in enumerate(masks):
        part = "val" if i == 3 else "train"
        save(tmp_path / part / "images" / f"{i}.png", generator.integers(0, 255, (6, 5)))
        save(tmp_path / part / "masks" / f"{i}.png", mask)
    spec = {"path": str(tmp_path), "channels": 1}
    samples = load({"image_masks": {**spec, "classes": ["sky", "sea", "land"]}})
    assert np.array_equal(samples.columns["target"].values, masks) and samples.columns["target"].axes == "HW"
    assert list(samples.splits) == ["train"] * 3 + ["val"] and samples.columns["image"].values.shape == (4, 1, 6, 5)
    resized = load({"image_masks": {**spec, "size": [12, 10]}}).columns["target"]
    assert np.array_equal(resized.values, masks.repeat(2, 1).repeat(2, 2)) and resized.classes == ("0", "1", "2")


def test_black_and_white_masks_have_two_classes(tmp_path):
    save(tmp_path / "images/a.png", np.zeros((4, 4)))
    save(tmp_path / "masks/a.gif", 255 * np.eye(4))
    target = load({"image_masks": str(tmp_path)}).columns["target"]
    assert np.array_equal(target.values[0], np.eye(4)) and len(target.classes) == 2


def test_masks_that_do_not_fit_are_named(tmp_path):
    for name in ("good", "lonely", "small", "color", "high"):
        save(tmp_path / f"images/{name}.png", np.zeros((4, 4)))
    save(tmp_path / "masks/good.png", np.eye(4))
    save(tmp_path / "masks/small.png", np.eye(3))
    save(tmp_path / "masks/color.png", np.zeros((4, 4, 3)), "RGB")
    save(tmp_path / "masks/high.png", 7 * np.eye(4))
    save(tmp_path / "masks/orphan.png", np.eye(4))
    spec = {"path": str(tmp_path), "classes": ["no", "yes"]}
    with pytest.raises(DataError) as error:
        load({"image_masks": spec})
    for reason in (
        "lonely.png: there is no mask",
        "orphan.png: there is no image",
        "small.png: 3 × 3 pixels, but its image has 4 × 4",
        "color.png: its pixels are colors",
        "high.png: row 1, column 1 has value 7, but there are 2 classes",
    ):
        assert reason in str(error.value)
    assert len(load({"image_masks": spec}, on_error="skip").columns["target"]) == 1


RATE = 8000


def tone(hertz, seconds=0.5, rate=RATE):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def sounds(folder, **files):
    for name, (samples, rate) in files.items():
        label, _, file = name.partition("__")
        (folder / label).mkdir(exist_ok=True)
        soundfile.write(folder / label / f"{file}.wav", samples, rate)
    return {"path": str(folder), "sample_rate": RATE, "seconds": 0.5, "n_fft": 256, "hop_length": 100, "n_mels": 20}


def test_spectrograms_are_those_of_torch(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, 4000)
    spec = sounds(tmp_path, noise__a=(noise, RATE))
    image = load({"audio_folder": spec}).columns["image"]
    stored = torch.from_numpy(soundfile.read(tmp_path / "noise/a.wav", dtype="float32")[0])
    power = torch.stft(stored, 256, 100, window=torch.hann_window(256), center=False, return_complex=True).abs() ** 2
    mels = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 22)
    corners = 700 * (10 ** (mels / 2595) - 1)
    bands = [np.interp(np.linspace(0, 4000, 129), corners[i : i + 3], [0, 1, 0]) for i in range(20)]
    expected = 10 * torch.log10(torch.from_numpy(np.array(bands, dtype=np.float32)) @ power)
    assert image.values.shape == (1, 1, 20, 1 + (4000 - 256) // 100)
    assert np.allclose(image.values[0, 0], expected.numpy(), atol=1e-2)


def test_higher_tones_lie_in_higher_bands_whatever_the_rate_of_the_file(tmp_path):
    files = {
        f"f{hz}__r{rate}": (tone(hz, rate=rate), rate) for hz in (300, 900, 2700) for rate in (RATE, 2 * RATE, 11025)
    }
    samples = load({"audio_folder": sounds(tmp_path, **files)})
    loudest = samples.columns["image"].values[:, 0].mean(axis=2).argmax(axis=1)
    by_class = [set(loudest[samples.columns["target"].values == k]) for k in range(3)]
    named = dict(zip(samples.columns["target"].classes, by_class, strict=True))
    assert all(len(bands) == 1 for bands in by_class)
    assert max(named["f300"]) < max(named["f900"]) < max(named["f2700"])


def test_sounds_are_cut_off_or_followed_by_silence(tmp_path):
    spec = sounds(tmp_path, a__long=(tone(500, 2.0), RATE), a__short=(tone(500, 0.1), RATE))
    images = load({"audio_folder": spec}).columns["image"].values[:, 0]
    assert images[0, :, -1].max() > 0 > -90 > images[1, :, -1].max()


def test_files_that_are_no_sounds_are_named(tmp_path):
    spec = sounds(tmp_path, a__good=(tone(500), RATE), a__none=(np.zeros(0), RATE))
    (tmp_path / "a/empty.wav").touch()
    (tmp_path / "a/text.wav").write_text("RIFF nothing")
    with pytest.raises(
        DataError, match=r"(?s)empty.wav: the file is empty.*none.wav: audio of no.*text.wav: a damaged"
    ):
        load({"audio_folder": spec})
    assert len(load({"audio_folder": spec}, on_error="skip").columns["image"]) == 1
    with pytest.raises(DataError, match="take fewer mels"):
        load({"audio_folder": {**spec, "n_mels": 200}})


def test_a_gzip_bomb_is_refused(tmp_path):
    with gzip.open(tmp_path / "bomb.txt.gz", "wb") as file:
        for _ in range(70):
            file.write(bytes(1 << 20))
    assert (tmp_path / "bomb.txt.gz").stat().st_size < 1 << 17
    with pytest.raises(DataError, match=r"bomb.txt.gz: decompresses to more than .* a zip bomb"):
        load({"text": "bomb.txt.gz"}, tmp_path)


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
