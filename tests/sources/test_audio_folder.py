"""Audio as mel spectrograms, held against torch's."""

import numpy as np
import pytest
import soundfile
import torch
from kit import load_source

from dlx.data.prepare import prepare
from dlx.errors import DataError
from dlx.figures.supervised import worst_samples
from dlx.nn.images import to_image
from dlx.recipe.schema.data import Data

RATE = 8000


def tone(hertz, seconds=0.5, rate=RATE):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def recordings(folder, **files):
    for name, (samples, rate) in files.items():
        label, _, file = name.partition("__")
        (folder / label).mkdir(exist_ok=True)
        soundfile.write(folder / label / f"{file}.wav", samples, rate)
    return {"path": str(folder), "sample_rate": RATE, "seconds": 0.5, "n_fft": 256, "hop_length": 100, "n_mels": 20}


def test_spectrograms_are_those_of_torch(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, 4000)
    spec = recordings(tmp_path, noise__a=(noise, RATE))
    image = load_source({"audio_folder": spec}).columns["image"]
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
    samples = load_source({"audio_folder": recordings(tmp_path, **files)})
    loudest = samples.columns["image"].values[:, 0].mean(axis=2).argmax(axis=1)
    by_class = [set(loudest[samples.columns["target"].values == k]) for k in range(3)]
    named = dict(zip(samples.columns["target"].classes, by_class, strict=True))
    assert all(len(bands) == 1 for bands in by_class)
    assert max(named["f300"]) < max(named["f900"]) < max(named["f2700"])


def test_audio_is_cut_off_or_followed_by_silence(tmp_path):
    spec = recordings(tmp_path, a__long=(tone(500, 2.0), RATE), a__short=(tone(500, 0.1), RATE))
    images = load_source({"audio_folder": spec}).columns["image"].values[:, 0]
    assert images[0, :, -1].max() > 0 > -90 > images[1, :, -1].max()


def test_files_that_are_no_audio_are_named(tmp_path):
    spec = recordings(tmp_path, a__good=(tone(500), RATE), a__none=(np.zeros(0), RATE))
    (tmp_path / "a/empty.wav").touch()
    (tmp_path / "a/text.wav").write_text("RIFF nothing")
    with pytest.raises(
        DataError, match=r"(?s)empty.wav: the file is empty.*none.wav: audio of no.*text.wav: a damaged"
    ):
        load_source({"audio_folder": spec})
    assert len(load_source({"audio_folder": spec}, on_error="skip").columns["image"]) == 1
    with pytest.raises(DataError, match="lower n_mels"):
        load_source({"audio_folder": {**spec, "n_mels": 200}})


@pytest.mark.parametrize(("value", "what"), [(np.nan, "not a number"), (np.inf, "infinite")])
def test_samples_that_are_no_number_are_named(value, what, tmp_path):
    wrong = tone(440).astype("float32")
    wrong[17] = value
    for name, sound in (("a/good", tone(440)), ("b/good", tone(880)), ("b/wrong", wrong)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE, subtype="FLOAT")
    spec = {"audio_folder": {"path": str(tmp_path), "sample_rate": RATE, "seconds": 0.5}}
    with pytest.raises(DataError, match=f"wrong.wav: sample 18 is {what}"):
        load_source(spec)
    samples = load_source(spec, on_error="skip")
    kept = samples.columns[samples.inputs[0]].values
    assert len(kept) == 2 and np.isfinite(kept[:]).all()


def test_spectrograms_are_drawn_with_high_tones_at_the_top(tmp_path):
    spec = recordings(tmp_path, high__a=(tone(3500), RATE), high__b=(tone(3500), RATE), low__a=(tone(200), RATE))
    data = Data.model_validate({"source": {"audio_folder": spec}, "split": {"val": 0, "test": 0}})
    prepared = prepare(data, tmp_path, "classes")
    field = prepared.facts.fields["image"]
    assert field.origin == "lower"
    pictures = to_image(torch.from_numpy(prepared.arrays["image"][:]), field)
    upper = pictures[:, 0, :10].mean((1, 2)) > pictures[:, 0, 10:].mean((1, 2))
    assert upper.tolist() == [True, True, False]
    (sheet,) = worst_samples(
        prepared.arrays, np.arange(3), np.ones(3), np.zeros(3), np.zeros(3), prepared.facts
    ).values()
    shown = sheet.axes[0].images[0].get_array()
    assert shown[:10].mean() > shown[10:].mean()
