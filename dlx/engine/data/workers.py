"""Data-loader workers: processes that read samples, and why one of them died."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterable, Iterator

from dlx.errors import RunError
from dlx.nn.protocols import Batch

NO_SHARED_MEMORY = ("bus error", "insufficient shared memory", "No space left on device", "unable to resize")


def iterate_workers(loader: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the batches of a data loader's worker processes. Raises: RunError that says why one of them died."""
    before = signal.getsignal(signal.SIGCHLD)
    try:
        iterator = iter(loader)
        if threading.current_thread() is threading.main_thread():
            # torch's handler would raise wherever Python happens to be; the loader itself looks every few seconds.
            signal.signal(signal.SIGCHLD, before)
        yield from iterator
    except (RuntimeError, ConnectionError, EOFError) as error:
        raise explain_failure(error) from None


def explain_failure(error: Exception) -> Exception:
    """Return why a data-loader worker died as a RunError, or the error itself if it is another one."""
    text = str(error)
    if any(words in text for words in NO_SHARED_MEMORY):
        free = shutil.disk_usage("/dev/shm").free >> 10
        reason = f"shared memory is full (/dev/shm has {free:,} KiB left)"
    elif "DataLoader worker" in text:
        what = text.partition("DataLoader worker ")[2].splitlines()[0].rpartition(") ")[2].rstrip(". ")
        reason = f"it {what.replace('is killed', 'was killed')}; the machine may have run out of memory"
    elif isinstance(error, (ConnectionError, EOFError)):
        reason = "it broke off in the middle of a sample; the machine may have run out of memory"
    else:
        return error
    return RunError(f"a process that reads samples died: {reason}. Try fewer: data.num_workers=0 needs none")
