"""Files of public data sets: found on disk, or downloaded whole, resumed after a cut and checked by SHA-256."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.console import echo, new_console, printable
from dlx.errors import DataError
from dlx.os_errors import os_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

ATTEMPTS = 6
"""How often a download that was cut goes on where it stopped before the next mirror is asked."""
TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes."""
CHUNK = 1 << 14
"""Bytes read at once: at most so many are lost when a connection is cut."""


def data_folder(name: str) -> Path:
    """Return the folder of a named data set: `$DLX_DATA/<name>`, else one in the user's cache."""
    import platformdirs

    root = os.environ.get("DLX_DATA")
    return (Path(root).expanduser() if root else Path(platformdirs.user_cache_dir("dlx"))) / name


def locate(name: str, files: Mapping[str, str], mirrors: Sequence[str]) -> dict[str, Path]:
    """Return where the files of a named data set lie, after downloading those that are absent.

    `files` maps file names to SHA-256. A file that is already there is taken as it is.
    """
    folder = data_folder(name)
    found = {}
    for file, sha256 in files.items():
        path = folder / file
        found[file] = path if path.is_file() else fetch([mirror + file for mirror in mirrors], sha256, folder)
    return found


def missing_address(name: str, files: Mapping[str, str], mirrors: Sequence[str]) -> str:
    """Return the first address of a named data set of which a file is absent; "" where all are there."""
    return mirrors[0] if any(not (data_folder(name) / file).is_file() for file in files) else ""


def fetch(urls: str | Sequence[str], sha256: str, folder: Path, pause: float = 1.0) -> Path:
    """Download a file into a folder under the last part of its address, from the first mirror that has it.

    Bytes are collected in `<name>.part`, so that a later call resumes; the file appears under its name whole and
    checked, or not at all.

    Raises: DataError if no mirror can be reached (it says which file to put where), or if the content is not what was
    expected (it names both hashes); what lay in the folder stays.
    """
    from filelock import FileLock

    mirrors = [urls] if isinstance(urls, str) else list(urls)
    path = folder / mirrors[0].rpartition("/")[2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{path.name}.lock"):
            if not path.is_file():
                _from_mirrors(mirrors, sha256, path, pause)
    except OSError as error:
        raise DataError(_advice(path, mirrors, f"cannot write there: {os_reason(error)}")) from None
    return path


def _from_mirrors(mirrors: Sequence[str], sha256: str, path: Path, pause: float) -> None:
    reasons = []
    for url in mirrors:
        echo(f"downloading {url}", error=True, flush=True)
        try:
            _download(url, sha256, path, pause)
        except DataError as error:
            reasons.append(f"{url}: {error}")
        else:
            return
    raise DataError(_advice(path, mirrors, "; ".join(reasons)))


def _advice(path: Path, mirrors: Sequence[str], reason: str) -> str:
    return (
        f"cannot download {path.name}: {reason}\n"
        f"Without a network, get {mirrors[0]} elsewhere and put it at {path.absolute()}, "
        "or set DLX_DATA to a folder that holds "
        f"{path.parent.name}/{path.name}"
    )


def _download(url: str, sha256: str, path: Path, pause: float) -> None:
    import pooch

    part = path.with_name(path.name + ".part")
    resumed = part.exists()
    _collect(url, part, pause)
    found = pooch.file_hash(str(part), alg="sha256")
    if found != sha256 and resumed:
        part.unlink()
        _collect(url, part, pause)
        found = pooch.file_hash(str(part), alg="sha256")
    if found != sha256:
        part.unlink()
        raise DataError(f"its SHA-256 is {found}, but {sha256} is expected; it was not kept")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _collect(url: str, part: Path, pause: float) -> None:
    """Add what is missing to the part file; a connection that was cut is taken up again if it had brought something."""
    import requests

    for attempt in range(ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        try:
            _request(url, part)
            return
        except requests.RequestException as error:
            stuck = not part.exists() or part.stat().st_size <= before
            if stuck or attempt + 1 == ATTEMPTS:
                raise DataError(_reason(error)) from None
        time.sleep(pause * 2**attempt)


def _reason(error: BaseException) -> str:
    """The innermost cause in words, without the library's own wrapping."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__


def _request(url: str, part: Path) -> None:
    import requests

    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return
        response.raise_for_status()
        resumes = response.status_code == requests.codes.partial_content
        with (
            part.open("ab" if resumes else "wb") as file,
            _progress(part.stem, response, start if resumes else 0) as step,
        ):
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                step(len(chunk))


@contextmanager
def _progress(name: str, response: requests.Response, start: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    rest = response.headers.get("Content-Length")
    total = start + int(rest) if rest is not None else None
    columns = (
        TextColumn("downloading {task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=new_console(error=True)) as progress:
        task = progress.add_task(printable(name), total=total, completed=start)
        yield lambda size: progress.advance(task, size)
