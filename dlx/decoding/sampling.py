"""Text generation, token after token: sampling and greedy search. B texts, T steps, V vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from dlx.decoding.beam_search import beam_search
from dlx.decoding.config import GenerationConfig
from dlx.decoding.logits import process_logits, sample_tokens, warp_logits
from dlx.decoding.stepwise import StepwiseDecoder
from dlx.tokenizers import EOS


@torch.no_grad()
def generate_tokens(
    decode: StepwiseDecoder, prompt_BT: Tensor, config: GenerationConfig, seeds: Sequence[int]
) -> Iterator[Tensor]:
    """Yield the next token (B,) of every text, as often as the options allow; where a text has ended, others go on.

    seeds  one for each text; what is sampled for it does not depend on the others
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    past_BT = new_BT = prompt_BT
    for _ in range(config.max_new_tokens):
        logits_BV = process_logits(decode(new_BT), past_BT, config.repetition_penalty)
        greedy = config.temperature == 0
        token_B = logits_BV.argmax(1) if greedy else sample_tokens(warp_logits(logits_BV, config), generators)
        yield token_B
        new_BT = token_B[:, None]
        if config.repetition_penalty != 1:
            past_BT = torch.cat([past_BT, new_BT], 1)


def generate(
    decode: StepwiseDecoder, prompt_BT: Tensor, config: GenerationConfig, seeds: Sequence[int] = ()
) -> list[list[int]]:
    """Return what follows each prompt, without the end token: by sampling, greedy search or beam search."""
    if config.num_beams > 1:
        return beam_search(decode, prompt_BT, config)
    texts: list[list[int]] = [[] for _ in prompt_BT]
    has_ended = [False] * len(texts)
    for token_B in generate_tokens(decode, prompt_BT, config, seeds or range(len(texts))):
        for i, token in enumerate(token_B.tolist()):
            has_ended[i] = has_ended[i] or token == EOS
            texts[i] += [] if has_ended[i] else [token]
        if all(has_ended):
            break
    return texts
