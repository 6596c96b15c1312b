from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from dlx.errors import DataError
from dlx.files import path_from, read_json
from dlx.os_errors import os_reason
from dlx.run_folders import TOKENIZERS, find_run_folder
from dlx.tokenizers import Codec, Tokenizer, restore

if TYPE_CHECKING:
    import numpy as np


class Pretrained(Tokenizer):
    """Pretrained tokenizer: that of another run, or a file of the `tokenizers` library.

    With that of a run, or of an earlier stage of the same recipe, the same numbers mean the same tokens, so that a
    network may begin as theirs ended (`init_from`). The tokens of a file are numbered after the four special ones of
    dlx; its own padding, beginning and end are not used. Either becomes part of every checkpoint.

    Raises:  DataError if the file is absent or no tokenizer, or the run has none or several.
    Source:  the `tokenizers` library; `tokenizer.json` of most published language models.

    Example:
        {type: pretrained, path: tokenizer.json}
    """

    primary: ClassVar[str] = "path"
    extra: ClassVar[str] = "text"
    requires: ClassVar[tuple[str, ...]] = ("tokenizers",)
    type: Literal["pretrained"] = "pretrained"
    path: str | None = Field(None, min_length=1)
    """The file, relative to the recipe."""
    run: str | None = Field(None, min_length=1)
    """In place of a file: a run, by its name, MLflow id or directory."""
    stage: str | None = Field(None, min_length=1)
    """In a recipe with `stages`, the earlier stage instead of a run."""
    unbuilt_fields: ClassVar[Mapping[str, str]] = {"field": "chooses among several tokenizers of a run"}
    field: str | None = None
    """Of a run or stage with several tokenizers: the field whose tokenizer it is."""
    _stored: Mapping[str, Any] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        if sum(place is not None for place in (self.path, self.run, self.stage)) != 1:
            raise ValueError("give one of path, run and stage")
        if self.field is not None and self.path is not None:
            raise ValueError("field names one of several tokenizers of a run or stage; a file holds one")
        return self

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        if self._stored is not None:
            return _StoredCodec(self._stored)
        if self.stage is not None:
            raise DataError(f"there is no earlier stage '{self.stage}' whose tokenizer this could be")
        (file,) = self.files(base)
        try:
            found = read_json(file)
            return self.restore({"json": found}) if self.path else _StoredCodec(self._chosen(found, str(file.parent)))
        except DataError as error:
            raise DataError(f"{file}: not a tokenizer that can be used: {error}") if self.path else error from None
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {os_reason(error)}") from None
        except Exception as error:  # the library raises bare exceptions
            raise DataError(f"{file}: not a tokenizer of the `tokenizers` library: {error}") from None

    def files(self, base: Path) -> list[Path]:
        if self.stage is not None or self._stored is not None:
            return []
        return [path_from(base, self.path) if self.path else find_run_folder(str(self.run)) / TOKENIZERS]

    def with_stages(self, stages: Mapping[str, Mapping[str, Any]]) -> Tokenizer:
        if self.stage is None or self.stage not in stages:
            return self
        return self._with(self._chosen(stages[self.stage], f"the stage {self.stage}"))

    def with_stored(self, stored: Mapping[str, Any]) -> Tokenizer:
        known = stored["state"].get("stored")
        return self if known is None else self._with(known)

    def fingerprint(self) -> str:
        return "" if self._stored is None else hashlib.sha256(json.dumps(self._stored).encode()).hexdigest()

    def _with(self, stored: Mapping[str, Any]) -> Tokenizer:
        found = self.model_copy()
        found._stored = stored
        return found

    def restore(self, state: Mapping[str, Any]) -> Codec:
        from dlx.tokenizers._library import restore_library_codec

        return _StoredCodec(state["stored"]) if "stored" in state else restore_library_codec(state)

    def _chosen(self, found: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """Return the tokenizer of the field that is meant, or the only one that there is."""
        fitting = [stored for name, stored in found.items() if self.field in (None, name)]
        if not fitting or any(stored != fitting[0] for stored in fitting):
            which = "has no such field" if self.field else "has several tokenizers: name the field of one"
            raise DataError(f"{where} {which}; there are {', '.join(found)}")
        chosen: Mapping[str, Any] = fitting[0]
        return chosen


class _StoredCodec(Codec):
    """A codec that a run stored."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self.stored = stored
        self.codec = restore(stored)
        self.tokens, self.specials = self.codec.tokens, self.codec.specials

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        return self.codec.encode(texts)

    def decode(self, ids: Sequence[int]) -> str:
        return self.codec.decode(ids)

    def state(self) -> dict[str, Any]:
        return {"stored": dict(self.stored)}
