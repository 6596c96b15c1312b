from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.files import path_from
from dlx.sources import Column, NewInputs, Recognition, Samples, Source
from dlx.sources._audio import count_frames, mel_filter_bank
from dlx.sources._decoding import Decoder, decode_files
from dlx.sources._errors import raise_or_skip
from dlx.sources._folders import labeled_files, suffix_share
from dlx.sources._labels import labeled_samples


class AudioFolder(Source):
    """Audio folder: mel spectrograms of audio files in one sub-folder for each class.

    Each column of the image is a frame, each row a mel band, the value its power in decibels. Folders train, val and
    test may stand above the classes. Audio is cut off at `seconds`, or followed by silence up to it.

    Shapes:  image (1, n_mels, frames), frames = 1 + (seconds · sample_rate − n_fft) // hop_length.
    Units:   values are in decibels; n_fft and hop_length are in audio samples.
    Raises:  DataError that lists the files that are empty, damaged or no audio.
    Source:  soundfile reads WAV, FLAC and OGG; mel scale of O'Shaughnessy 1987.

    Example:
        {type: audio_folder, path: commands, sample_rate: 16000, seconds: 1.0}
    """

    primary: ClassVar[str] = "path"
    extra: ClassVar[str] = "audio"
    requires: ClassVar[tuple[str, ...]] = ("soundfile",)
    suffixes: ClassVar[tuple[str, ...]] = (".wav", ".flac", ".ogg")
    type: Literal["audio_folder"] = "audio_folder"
    path: str
    """Folder with the files."""
    seconds: float = Field(1.0, gt=0)
    """Length of a sample."""
    sample_rate: int = Field(16000, ge=1000)
    """Audio samples in a second; files of another rate are resampled."""
    n_fft: int = Field(512, ge=16)
    """Audio samples in the window of a frame."""
    hop_length: int = Field(256, ge=1)
    """Audio samples from one frame to the next."""
    n_mels: int = Field(64, ge=1)
    """Mel bands."""

    @classmethod
    def recognize(cls, path: Path) -> Recognition | None:
        share = suffix_share(path, cls.suffixes) if path.is_dir() else 0.0
        return Recognition(3, "classification") if share > 0.5 else None

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        root = path_from(base, self.path)
        found = labeled_files(root)
        files = [(path, split, label) for path, split, label in found.files if label is not None]
        if not files:
            raise DataError(f"{root}: no audio found; expected {root.name}/<class>/<file>")
        decoded = decode_files(self._decoder(), [path for path, _, _ in files])
        raise_or_skip(f"audio in {self.path}", decoded.problems, on_error)
        if not decoded.good:
            raise DataError("\n".join([f"{self.path}: no file can be used", *decoded.problems[:5]]))
        image = Column(decoded.arrays, "CHW", "image", origin="lower")
        return labeled_samples(image, [files[i] for i in decoded.good], decoded.problems, found)

    def files(self, base: Path) -> list[Path]:
        found = labeled_files(path_from(base, self.path))
        return [path for path, _, label in found.files if label is not None]

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts, keep: Sequence[str] = ()) -> NewInputs:
        decoded = decode_files(self._decoder(), paths)
        raise_or_skip("audio", decoded.problems, "raise")
        (name,) = facts.inputs
        return NewInputs({name: Column(decoded.arrays, "CHW", "image", origin="lower")})

    def _decoder(self) -> Decoder:
        """Return how files become spectrograms. Raises: DataError where a mel band would hold no frequency."""
        bands = mel_filter_bank(self.n_mels, self.n_fft, self.sample_rate)
        empty = int((bands.sum(axis=1) == 0).sum())
        if empty:
            raise DataError(
                f"{empty} of {self.n_mels} mel bands hold no frequency of {self.n_fft} samples: lower n_mels"
            )
        names = ("sample_rate", "seconds", "n_fft", "hop_length", "n_mels")
        frames = count_frames(self.sample_rate, self.seconds, self.n_fft, self.hop_length)
        options = {name: getattr(self, name) for name in names}
        return Decoder("audio", options, (1, self.n_mels, frames), "float32")
