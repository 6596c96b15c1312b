"""Audio files, and mel spectrograms of them, in numpy."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.errors import DataError

if TYPE_CHECKING:
    import numpy as np

MAX_SECONDS = 600.0
"""A longer file is no sample but a recording."""
FLOOR = 1e-10
"""Power that counts as silence: the logarithm begins there."""


def decode_audio(path: Path, sample_rate: int, seconds: float, n_fft: int, hop_length: int, n_mels: int) -> np.ndarray:
    """Return the mel spectrogram (1, n_mels, frames) of a file in decibels, cut off or followed by silence.

    Raises: DataError as `read_audio` does.
    """
    import numpy as np

    samples, _ = read_audio(path, sample_rate)
    whole = np.zeros(max(n_fft, round(seconds * sample_rate)), dtype=np.float32)
    whole[: len(samples)] = samples[: len(whole)]
    bands = mel_filter_bank(n_mels, n_fft, sample_rate)
    return power_to_db(bands @ power_spectrogram(whole, n_fft, hop_length))[None]


def count_frames(sample_rate: int, seconds: float, n_fft: int, hop_length: int) -> int:
    """Return how many frames a spectrogram has."""
    return 1 + (max(n_fft, round(seconds * sample_rate)) - n_fft) // hop_length


def read_audio(path: Path, rate: int | None) -> tuple[np.ndarray, int]:
    """Return a file's samples, the mean of its channels, −1 … 1, and how many make a second.

    Raises: DataError if the file is empty, damaged, no audio, longer than ten minutes, or holds a sample that is not
    finite.
    """
    import numpy as np
    import soundfile

    try:
        info = soundfile.info(str(path))
        if info.frames > MAX_SECONDS * info.samplerate:
            raise DataError(f"{path}: {info.duration:.0f} seconds are more than {MAX_SECONDS:.0f}")
        samples_NC, found = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else f"a damaged file, or no audio: {error}"
        raise DataError(f"{path}: {reason}") from None
    if not len(samples_NC):
        raise DataError(f"{path}: audio of no length")
    wrong = np.flatnonzero(~np.isfinite(samples_NC).all(axis=1))
    if len(wrong):
        what = "not a number" if np.isnan(samples_NC[wrong[0]]).any() else "infinite"
        raise DataError(f"{path}: sample {wrong[0] + 1} is {what}")
    return _resample(samples_NC.mean(axis=1), found, rate or found)


def _resample(samples_N: np.ndarray, found: int, rate: int) -> tuple[np.ndarray, int]:
    if found == rate:
        return samples_N, rate
    from scipy.signal import resample_poly

    ratio = Fraction(rate, found)
    return resample_poly(samples_N, ratio.numerator, ratio.denominator).astype("float32"), rate


def power_spectrogram(samples_N: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Return the power of every frequency (window // 2 + 1, frames) in Hann windows that lie inside the signal."""
    import numpy as np

    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames_TW = np.lib.stride_tricks.sliding_window_view(samples_N, window)[::hop]
    power: np.ndarray = abs(np.fft.rfft(frames_TW * hann, axis=1)).T ** 2
    return power


@cache
def mel_filter_bank(bands: int, window: int, rate: int) -> np.ndarray:
    """Return a mel filter bank (bands, frequencies): triangles equally wide where m = 2595 · log10(1 + f / 700)."""
    import numpy as np

    def hertz(mel: np.ndarray) -> np.ndarray:
        return 700 * (10 ** (mel / 2595) - 1)

    corners = hertz(np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2))[:, None]
    frequencies = np.linspace(0, rate / 2, window // 2 + 1)
    low, center, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequencies - low) / (center - low), (high - frequencies) / (high - center)
    triangles: np.ndarray = np.maximum(0, np.minimum(rising, falling))
    return triangles


def power_to_db(power: np.ndarray) -> np.ndarray:
    """Return power in decibels, float32."""
    import numpy as np

    decibels: np.ndarray = 10 * np.log10(np.maximum(power, FLOOR))
    return decibels.astype(np.float32)
