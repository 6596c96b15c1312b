from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from dlx.errors import DataError
from dlx.tokenizers import Codec, Tokenizer


class Trained(Tokenizer):
    """A tokenizer that was trained before, read from a file of the `tokenizers` library.

    Its tokens are numbered after the four special ones of dlx; its own padding, beginning and end are not used. The
    file becomes part of every checkpoint.

    Raises:  DataError if the file is absent or no tokenizer.
    Source:  the `tokenizers` library; `tokenizer.json` of most published language models.

    Example:
        {type: trained, path: tokenizer.json}
    """

    primary: ClassVar[str] = "path"
    extra: ClassVar[str] = "text"
    requires: ClassVar[tuple[str, ...]] = ("tokenizers",)
    type: Literal["trained"] = "trained"
    path: str
    """The file, relative to the recipe."""

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        import json

        (file,) = self.files(base)
        try:
            return self.restore({"json": json.loads(file.read_text(encoding="utf-8"))})
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror or error}") from None
        except Exception as error:  # the library raises bare exceptions
            raise DataError(f"{file}: not a tokenizer of the `tokenizers` library: {error}") from None

    def files(self, base: Path) -> list[Path]:
        return [base / Path(self.path).expanduser()]

    def restore(self, state: Mapping[str, Any]) -> Codec:
        from dlx.tokenizers._library import restored

        return restored(state)
