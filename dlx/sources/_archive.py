"""Archives from outside: every member is checked before a byte of it is written."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from dlx.errors import DataError
from dlx.files import create_file

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
CHUNK = 1 << 20


@dataclass(frozen=True)
class ExtractionLimits:
    """What an archive may grow to.

    size    bytes of all members together
    count   members
    ratio   bytes of all members for each byte of the archive, once they are more than `free`
    """

    size: int = 64 << 30
    count: int = 5_000_000
    ratio: int = 100
    free: int = 64 << 20


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it is an archive that `extract` reads."""
    return path.name.lower().endswith(SUFFIXES)


def extract(archive: Path, folder: Path, limits: ExtractionLimits | None = None) -> Path:
    """Unpack an archive into a new folder, which appears whole or not at all.

    Raises: DataError if a member lies outside the folder (`..`, an absolute path), is a link or a device, or if the
    archive is damaged or grows over the limits.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _unpack(archive, scratch, _SizeMeter(archive, limits or ExtractionLimits()))
        scratch.replace(folder)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise DataError(f"{archive}: a damaged archive: {error}") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{archive}: cannot be unpacked into {folder}: {error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _unpack(archive: Path, scratch: Path, meter: _SizeMeter) -> None:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as zipped:
            _unzip(zipped, scratch, meter)
        return
    with (
        _open_stream(archive) as stream,
        tarfile.open(fileobj=cast(IO[bytes], _MeteredStream(stream, meter)), mode="r|") as tar,
    ):
        _untar(tar, scratch, meter)


class _SizeMeter:
    """Counts what comes out of an archive and stops it in time."""

    def __init__(self, archive: Path, limits: ExtractionLimits) -> None:
        self.archive = archive
        self.limits = limits
        self.limit = min(limits.size, max(limits.free, limits.ratio * archive.stat().st_size))
        self.bytes = 0
        self.members = 0

    def count_member(self, size: int) -> None:
        """Count a member that says how large it is."""
        self.members += 1
        if self.members > self.limits.count:
            raise DataError(f"{self.archive}: more than {self.limits.count} members")
        self.check(self.bytes + size)

    def count_bytes(self, size: int) -> None:
        """Count bytes that were really unpacked."""
        self.bytes += size
        self.check(self.bytes)

    def check(self, total: int) -> None:
        """Refuse a total over the limit."""
        if total > self.limit:
            raise DataError(
                f"{self.archive}: unpacks to more than {self.limit} bytes from {self.archive.stat().st_size}: "
                "a bomb, or not the data set that was meant"
            )


class _MeteredStream:
    """A stream of which every byte is counted: also headers, and members that are passed over."""

    def __init__(self, stream: IO[bytes], meter: _SizeMeter) -> None:
        self.stream = stream
        self.meter = meter

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.meter.count_bytes(len(data))
        return data


@contextmanager
def _open_stream(archive: Path) -> Iterator[IO[bytes]]:
    readers: dict[str, Any] = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    with readers.get(archive.suffix.lower(), open)(archive, "rb") as stream:
        yield stream


def _untar(tar: tarfile.TarFile, scratch: Path, meter: _SizeMeter) -> None:
    for member in tar:
        target = _safe_path(meter.archive, scratch, member.name)
        if not (member.isfile() or member.isdir()) or member.issparse():
            raise DataError(f"{meter.archive}: '{member.name}' is a link, a device or otherwise no plain file")
        meter.count_member(member.size)
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        source = tar.extractfile(member)
        if source is not None:
            _write(source, target)


def _unzip(zipped: zipfile.ZipFile, scratch: Path, meter: _SizeMeter) -> None:
    for member in zipped.infolist():
        target = _safe_path(meter.archive, scratch, member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"{meter.archive}: '{member.filename}' is a link, a device or otherwise no plain file")
        meter.count_member(member.file_size)
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        with zipped.open(member) as source:
            _write(cast(IO[bytes], _MeteredStream(source, meter)), target)


def _safe_path(archive: Path, scratch: Path, name: str) -> Path:
    path = PurePosixPath(name)
    windows = "\\" in name or (len(name) > 1 and name[1] == ":")
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts or windows:
        raise DataError(f"{archive}: '{name}' would be written outside of its folder")
    return scratch.joinpath(*path.parts)


def _write(source: IO[bytes], target: Path) -> None:
    with create_file(target) as file:
        while chunk := source.read(CHUNK):
            file.write(chunk)
