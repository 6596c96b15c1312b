from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlx.tokenizers import SPECIAL, Codec, Tokenizer

if TYPE_CHECKING:
    import numpy as np

BYTES = 256


class Byte(Tokenizer):
    """Byte-level tokenizer: one token for each byte of UTF-8; nothing is trained, and no text is unknown.

    For many scripts at once, and where a vocabulary must not depend on the data; sequences are the longest of all.

    Source:  Xue et al. 2022, arXiv:2105.13626 (ByT5).

    Example:
        {type: byte}
    """

    type: Literal["byte"] = "byte"

    def train(self, texts: Sequence[str], base: Path) -> Codec:
        return _ByteCodec()

    def restore(self, state: Mapping[str, Any]) -> Codec:
        return _ByteCodec()


class _ByteCodec(Codec):
    def __init__(self) -> None:
        self.tokens = [*SPECIAL, *(f"<{byte:02x}>" for byte in range(BYTES))]

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        import numpy as np

        return [np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64) + len(SPECIAL) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(i - len(SPECIAL) for i in ids if i >= len(SPECIAL)).decode(errors="replace")

    def state(self) -> dict[str, Any]:
        return {}
