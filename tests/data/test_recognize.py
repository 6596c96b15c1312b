"""What `dlx init` takes files and folders for: each source says what it recognizes."""

import numpy as np
import pytest
from PIL import Image

from dlx.data.inspect import inspect
from dlx.data.recognize import recognize
from dlx.errors import UsageError

GENERATOR = np.random.default_rng(2)


def image(path, mode="RGB", values=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (16, 16, 3) if mode == "RGB" else (16, 16)
    pixels = GENERATOR.integers(0, 256, shape) if values is None else GENERATOR.choice(values, shape)
    Image.fromarray(pixels.astype(np.uint8), mode).save(path)


def wav(path):
    import wave

    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(GENERATOR.integers(-1000, 1000, 4000).astype("<i2").tobytes())


def masks(folder):
    for i in range(6):
        image(folder / "images" / f"{i}.png")
        image(folder / "masks" / f"{i}.png", "L", [0, 1])


def classes(folder):
    for i in range(12):
        image(folder / "ab"[i % 2] / f"{i}.png")


def sounds(folder):
    for i in range(12):
        wav(folder / "ab"[i % 2] / f"{i}.wav")


def arrays(folder):
    folder.mkdir()
    np.savez(folder / "d.npz", x=GENERATOR.normal(size=(60, 4)), y=GENERATOR.integers(0, 3, 60))


def table(folder):
    folder.mkdir()
    (folder / "d.csv").write_text("a,b\n" + "".join(f"{i / 7:.3f},{'xy'[i % 2]}\n" for i in range(60)))


def series(folder):
    folder.mkdir()
    days = np.datetime64("2024-01-01") + np.arange(90)
    (folder / "d.csv").write_text("day,sold\n" + "".join(f"{d},{i % 7}\n" for i, d in enumerate(days)))


def prose(folder):
    folder.mkdir()
    (folder / "d.txt").write_text("once upon a time there was a mouse\n" * 50)


@pytest.mark.parametrize(
    ("make", "file", "source", "task"),
    [
        (masks, "", "image_masks", "segmentation"),
        (classes, "", "image_folder", "classification"),
        (sounds, "", "audio_folder", "classification"),
        (arrays, "d.npz", "npz", ""),
        (table, "d.csv", "table", ""),
        (series, "d.csv", "series", "forecasting"),
        (prose, "d.txt", "text", "language_modeling"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_kind_of_data_is_recognized(make, file, source, task, tmp_path):
    make(tmp_path / "data")
    name, found = recognize(tmp_path / "data" / file, None)
    assert name == source and (not task or found.task in (task, ""))
    if source != "text":
        looked_at = inspect(str(tmp_path / "data" / file), tmp_path)
        assert next(iter(looked_at.source)) == source and (not task or looked_at.task == task)


def test_the_task_decides_between_sources(tmp_path):
    series(tmp_path / "data")
    assert recognize(tmp_path / "data" / "d.csv", "regression")[0] == "table"
    with pytest.raises(UsageError, match=r"--task: .* is not read for segmentation"):
        recognize(tmp_path / "data" / "d.csv", "segmentation")


def test_nothing_is_recognized_in_a_file_of_another_kind(tmp_path):
    (tmp_path / "d.exe").write_bytes(b"MZ\x00\x01")
    with pytest.raises(UsageError, match="no source recognizes"):
        recognize(tmp_path / "d.exe", None)
