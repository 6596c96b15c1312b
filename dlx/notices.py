"""Notices for a person who waits: printed only where something takes longer than a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MOMENT_SECONDS = 0.6


@contextmanager
def notice_if_slow(show: Callable[[str], object], text: str, seconds: float = MOMENT_SECONDS) -> Iterator[None]:
    """Show a text once what is done in the context has taken so long."""
    timer = threading.Timer(seconds, show, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
