"""Text streaming: text out of tokens that come one by one, up to a stop string. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dlx.tokenizers import EOS, Codec

REPLACEMENT = "\ufffd"
"""What a tokenizer of bytes gives for a character that is not complete yet."""
PROMPT_TOKENS = 8  # of the prompt, beside which the first new token is decoded


def stream_text(codec: Codec, prompt: Sequence[int], tokens: Iterable[int]) -> Iterator[str]:
    """Yield the text of each token as it reads behind those before; of an incomplete character, once it is complete."""
    ids, known = list(prompt[-PROMPT_TOKENS:]), 0
    before = codec.decode(ids)
    for token in tokens:
        if token == EOS:
            return
        ids.append(token)
        text = codec.decode(ids)
        if len(text) > len(before) and not text.endswith(REPLACEMENT):
            yield text[len(before) :]
            ids = ids[known:]  # the tokens before the last piece no longer change what comes
            known, before = len(ids), codec.decode(ids)


def stop_before(texts: Iterable[str], stop_strings: Sequence[str]) -> Iterator[str]:
    """Yield texts up to the first stop string; what may be the beginning of one waits until it is known."""
    waiting = ""
    for text in texts:
        waiting += text
        places = [waiting.index(stop) for stop in stop_strings if stop in waiting]
        if places:
            yield waiting[: min(places)]
            return
        safe = len(waiting) - max((_partial_length(waiting, stop) for stop in stop_strings), default=0)
        yield waiting[:safe]
        waiting = waiting[safe:]
    yield waiting


def _partial_length(text: str, stop: str) -> int:
    """Return how many characters at the end of a text may begin a stop string."""
    return next((n for n in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:n])), 0)
