"""The Rich console of dlx."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from dlx.console.characters import printable


class SafeConsole(Console):
    """A console that reads no markup in texts and prints their control characters as visible escapes."""

    def __init__(
        self, *, error: bool, quiet: bool, width: int | None, file: TextIO | None, force_terminal: bool | None
    ) -> None:
        super().__init__(
            stderr=error,
            quiet=quiet,
            width=width,
            file=file,
            force_terminal=force_terminal,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text, printable before its width is measured."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of anything; those of texts that were made elsewhere are made printable here."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)
