"""Text out of tokens that come one by one, and where it is to stop. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dlx.tokenizers import EOS, Codec

CUT = "\ufffd"
"""What a tokenizer of bytes gives for a letter that is not whole yet."""
CONTEXT = 8  # tokens of the prompt that the first one is joined to


def pieces(codec: Codec, prompt: Sequence[int], tokens: Iterable[int]) -> Iterator[str]:
    """Yield the text of each token as it stands behind those before; of a letter in parts, once it is whole."""
    ids, known = list(prompt[-CONTEXT:]), 0
    said = codec.decode(ids)
    for token in tokens:
        if token == EOS:
            return
        ids.append(token)
        text = codec.decode(ids)
        if len(text) > len(said) and not text.endswith(CUT):
            yield text[len(said) :]
            ids = ids[known:]  # the tokens before the last piece no longer change what comes
            known, said = len(ids), codec.decode(ids)


def until(texts: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """Yield texts up to the first of the stops; what may be the beginning of one waits until it is known."""
    waiting = ""
    for text in texts:
        waiting += text
        places = [waiting.index(stop) for stop in stops if stop in waiting]
        if places:
            yield waiting[: min(places)]
            return
        safe = len(waiting) - max((_begun(waiting, stop) for stop in stops), default=0)
        yield waiting[:safe]
        waiting = waiting[safe:]
    yield waiting


def _begun(text: str, stop: str) -> int:
    """Return how many letters at the end of a text may begin a stop."""
    return next((n for n in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:n])), 0)
