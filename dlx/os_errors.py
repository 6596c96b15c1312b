"""What the operating system says, as a sentence: the path, the reason in words, and a way out."""

from __future__ import annotations

import errno
import os
from pathlib import Path

MAX_PATH_SHOWN = 200
"""Characters of a path that are shown; the rest of a longer one is left out."""
WAYS_OUT = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "your quota is used up: delete some files, or write to another disk",
    errno.EFBIG: "the file system takes no file of this size; write to another disk",
    errno.EACCES: "write or read elsewhere, or ask its owner for the permission",
    errno.EPERM: "write or read elsewhere, or ask its owner for the permission",
    errno.EROFS: "write to another disk: --root, --output and DLX_CACHE say where",
    errno.ENOENT: "check the path, and the folder from which the command is called",
    errno.ENOTDIR: "a file is where the path needs a folder",
    errno.EISDIR: "name a file, not a folder",
    errno.EEXIST: "move it away, or choose another name",
    errno.ENOTEMPTY: "another process writes there; try again",
    errno.ENAMETOOLONG: "use a shorter name or path",
    errno.ELOOP: "a symbolic link leads back to itself; name the file itself",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096, or set data.num_workers=0",
    errno.ENFILE: "the computer has too many open files; end other programs",
    errno.ENOMEM: "end other programs, or use smaller data or batches",
    errno.EAGAIN: "end other programs, or use fewer workers: data.num_workers=0",
    errno.EIO: "the disk or network drive fails; copy the data elsewhere and try again",
    errno.ESTALE: "the network drive lost the file; try again",
    errno.EBUSY: "another program uses it; end that one, or try again later",
    errno.ETXTBSY: "another program runs it; end that one first",
    errno.EXDEV: "both must be on the same disk",
    errno.ENODEV: "plug in or mount the device, or read elsewhere",
    errno.ENXIO: "plug in or mount the device, or read elsewhere",
    errno.ENOLCK: "the file system has no locks; use a local disk",
    errno.ENOTSUP: "the file system lacks this; use a local disk",
    errno.ENOSYS: "the file system lacks this; use a local disk",
    errno.EINVAL: "the name or the place does not allow this; choose another one",
    errno.EPIPE: "the program that reads the output has ended",
    errno.ECONNREFUSED: "nothing listens at that address; start the server, or check the address",
    errno.ECONNRESET: "the connection was cut; try again",
    errno.ETIMEDOUT: "there was no answer in time; check the network and try again",
    errno.ENETUNREACH: "check the network",
    errno.EHOSTUNREACH: "check the network and the address",
    errno.EADDRINUSE: "choose another port",
    errno.EADDRNOTAVAIL: "choose an address of this computer",
}
"""What a person can do about an error of the operating system, by its number."""


def os_reason(error: OSError) -> str:
    """Return the reason of an error in words, and a way out: `No space left on device; free some space, or …`."""
    number = error.errno if isinstance(error.errno, int) else None
    reason = error.strerror or (os.strerror(number) if number is not None else str(error) or type(error).__name__)
    way_out = WAYS_OUT.get(number) if number is not None else None
    return f"{reason}; {way_out}" if way_out else reason


def os_message(error: OSError, path: Path | str | None = None) -> str:
    """Return an error of the operating system as a sentence with its path, its reason and a way out."""
    named = path if path is not None else error.filename2 or error.filename
    return os_reason(error) if named is None else f"{shorten_path(named)}: {os_reason(error)}"


def shorten_path(path: Path | str | bytes | int) -> str:
    """Return a path as it is shown, a very long one without its middle."""
    text = path.decode(errors="backslashreplace") if isinstance(path, bytes) else str(path)
    half = MAX_PATH_SHOWN // 2
    return text if len(text) <= MAX_PATH_SHOWN else f"{text[:half]}…{text[-half:]}"
