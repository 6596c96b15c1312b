"""Sounds and their spectrograms, in numpy."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.errors import DataError

if TYPE_CHECKING:
    import numpy as np

LONGEST = 600.0
"""Seconds of a file that are read at most: what is longer is no sample but a recording."""
FLOOR = 1e-10
"""Power that counts as silence: the logarithm begins there."""


def read_audio(path: Path, rate: int | None) -> tuple[np.ndarray, int]:
    """Return a file's samples, the mean of its channels, −1 … 1, and how many make a second.

    Raises: DataError if the file is empty, damaged, no sound, or longer than ten minutes.
    """
    import soundfile

    try:
        info = soundfile.info(str(path))
        if info.frames > LONGEST * info.samplerate:
            raise DataError(f"{path}: {info.duration:.0f} seconds are more than the {LONGEST:.0f} that are read")
        samples_NC, found = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else f"a damaged file, or no sound: {error}"
        raise DataError(f"{path}: {reason}") from None
    if not len(samples_NC):
        raise DataError(f"{path}: a sound of no length")
    return _resample(samples_NC.mean(axis=1), found, rate or found)


def _resample(samples_N: np.ndarray, found: int, rate: int) -> tuple[np.ndarray, int]:
    if found == rate:
        return samples_N, rate
    from scipy.signal import resample_poly

    ratio = Fraction(rate, found)
    return resample_poly(samples_N, ratio.numerator, ratio.denominator).astype("float32"), rate


def power_spectrogram(samples_N: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Return the power of every frequency (window // 2 + 1, frames) in Hann windows that lie inside the sound."""
    import numpy as np

    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames_TW = np.lib.stride_tricks.sliding_window_view(samples_N, window)[::hop]
    power: np.ndarray = abs(np.fft.rfft(frames_TW * hann, axis=1)).T ** 2
    return power


def mel_filter_bank(bands: int, window: int, rate: int) -> np.ndarray:
    """Return triangles (bands, frequencies) that are equally wide on the mel scale, m = 2595 · log10(1 + f / 700)."""
    import numpy as np

    def hertz(mel: np.ndarray) -> np.ndarray:
        return 700 * (10 ** (mel / 2595) - 1)

    corners = hertz(np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2))[:, None]
    frequencies = np.linspace(0, rate / 2, window // 2 + 1)
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    triangles: np.ndarray = np.maximum(0, np.minimum(rising, falling))
    return triangles


def power_to_db(power: np.ndarray) -> np.ndarray:
    """Return power in decibels, float32."""
    import numpy as np

    decibels: np.ndarray = 10 * np.log10(np.maximum(power, FLOOR))
    return decibels.astype(np.float32)
