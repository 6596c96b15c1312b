"""Notices for a person: that something takes longer than a moment, and what to type next."""

from __future__ import annotations

import shlex
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


def dlx_command(*words: object) -> str:
    """Return a command of dlx as it is typed in a shell, quoted where it must be: `dlx train 'my recipe.yaml'`."""
    return shlex.join(["dlx", *map(str, words)])
