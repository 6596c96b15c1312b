from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.sources import Column, Samples, Source
from dlx.sources._audio import mel_filter_bank, power_spectrogram, power_to_db, read_audio
from dlx.sources._errors import raise_or_skip
from dlx.sources._images import map_files

if TYPE_CHECKING:
    import numpy as np

SPLITS = ("train", "val", "test")


class AudioFolder(Source):
    """Reads sounds from a folder with one sub-folder for each class, as images: spectrograms on the mel scale.

    Each column of the picture is a moment, each row a band of frequencies, the value is how loud it is. Folders train,
    val and test may stand above the classes. Sounds are cut off at `seconds`, or followed by silence up to it.

    Shapes:  image (1, n_mels, frames), frames = 1 + (seconds · sample_rate − n_fft) // hop_length.
    Units:   values are in decibels; n_fft and hop_length are in samples of the sound.
    Raises:  DataError that lists the files that are empty, damaged, no sounds, or of another rate.
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
    """Folder with the sounds."""
    seconds: float = Field(1.0, gt=0)
    """How long a sample is."""
    sample_rate: int = Field(16000, ge=1000)
    """Samples in a second; sounds of another rate are converted."""
    n_fft: int = Field(512, ge=16)
    """Samples from which the frequencies of a moment are taken."""
    hop_length: int = Field(256, ge=1)
    """Samples from one moment to the next."""
    n_mels: int = Field(64, ge=1)
    """Bands of frequencies."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        found = self._labeled_files(base)
        if not found:
            raise DataError(f"{base / self.path}: no sounds found; expected {Path(self.path).name}/<class>/<sound>")
        images, problems = map_files(self._reader(), [path for path, _, _ in found])
        raise_or_skip(f"sounds in {self.path}", problems, on_error)
        if not images:
            raise DataError("\n".join([f"{self.path}: no sound can be used", *problems[:5]]))
        kept = [found[i] for i in images]
        classes = tuple(sorted({label for _, label, _ in kept}))
        codes: np.ndarray = np.array([classes.index(label) for _, label, _ in kept], dtype=np.int64)
        splits = np.array([split for _, _, split in kept], dtype=object) if kept[0][2] else None
        image = Column(np.stack(list(images.values())), "CHW", "image")
        return Samples(
            {"image": image, "target": Column(codes, "", "categorical", classes)},
            ("image",),
            "target",
            splits,
            problems,
        )

    def files(self, base: Path) -> list[Path]:
        return [path for path, _, _ in self._labeled_files(base)]

    def read_inputs(self, paths: Sequence[Path], facts: DataFacts) -> dict[str, Column]:
        import numpy as np

        images, problems = map_files(self._reader(), paths)
        raise_or_skip("sounds", problems, "raise")
        (name,) = facts.inputs
        return {name: Column(np.stack(list(images.values())), "CHW", "image")}

    def _reader(self) -> partial[np.ndarray]:
        bands = mel_filter_bank(self.n_mels, self.n_fft, self.sample_rate)
        empty = int((bands.sum(axis=1) == 0).sum())
        if empty:
            raise DataError(
                f"{empty} of {self.n_mels} mels hold no frequency of a window of {self.n_fft}: take fewer mels"
            )
        return partial(self._spectrogram, bands=bands)

    def _spectrogram(self, path: Path, bands: np.ndarray) -> np.ndarray:
        import numpy as np

        samples, _ = read_audio(path, self.sample_rate)
        length = max(self.n_fft, round(self.seconds * self.sample_rate))
        whole = np.zeros(length, dtype=np.float32)
        whole[: len(samples)] = samples[:length]
        return power_to_db(bands @ power_spectrogram(whole, self.n_fft, self.hop_length))[None]

    def _labeled_files(self, base: Path) -> list[tuple[Path, str, str]]:
        """Return every file with its class and its split, or an empty word."""
        root = base / Path(self.path).expanduser()
        if not root.is_dir():
            raise DataError(f"{root}: no such folder")
        splits = [split for split in SPLITS if (root / split).is_dir()] if (root / "train").is_dir() else [""]
        folders = [
            (folder, split) for split in splits for folder in sorted((root / split).iterdir()) if folder.is_dir()
        ]
        return [
            (path, folder.name, split)
            for folder, split in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        ]
