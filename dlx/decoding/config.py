"""Generation options, in the names of transformers' generation. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, Strict, ValidationError, model_validator

from dlx.component import Section
from dlx.errors import UsageError

SAMPLING_FIELDS = ("temperature", "top_k", "top_p", "seed")


class GenerationConfig(Section):
    """Text generation: how the next token is chosen from the logits, and when a text ends.

    Tokens are sampled from their probabilities, but for `temperature: 0` (greedy search) and `num_beams` above 1 (beam
    search). Every text also ends with the end token. Padding, unknown and begin tokens are never generated.
    """

    max_new_tokens: int = Field(200, ge=1)
    """Tokens that are generated at most."""
    temperature: float = Field(1.0, ge=0)
    """Logits are divided by it: below 1 the probable is more probable; 0 always takes the most probable token."""
    top_k: int | None = Field(None, ge=1)
    """Top-k sampling: only so many of the most probable tokens are sampled from."""
    top_p: float | None = Field(None, gt=0, le=1)
    """Nucleus sampling: only the most probable tokens are sampled that together have at least this probability."""
    repetition_penalty: float = Field(1.0, gt=0)
    """Logits of tokens that are in the text already are divided by it if positive, else multiplied (Keskar et al.
    2019, arXiv:1909.05858); 1 changes nothing."""
    num_beams: int = Field(1, ge=1)
    """Beam search: hypotheses that are continued side by side, of which the most probable is returned; 1 is none."""
    length_penalty: float = Field(0.6, ge=0)
    """Of beam search: log-probabilities are divided by ((5 + length) / 6) to this power, so that short texts are not
    preferred (Wu et al. 2016, arXiv:1609.08144); 0 compares them as they are."""
    seed: int = Field(0, ge=0)
    """Seed of sampling: the same seed gives the same text."""
    stop_strings: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Strict(False)] = ()
    """Strings before which generation ends."""

    @model_validator(mode="after")
    def _check_beam_search(self) -> Self:
        given = [name for name in SAMPLING_FIELDS if name in self.model_fields_set]
        if self.num_beams > 1 and given:
            raise ValueError(f"beam search samples nothing: leave out {', '.join(given)}, or num_beams")
        return self


def read_generation_config(options: Mapping[str, Any]) -> GenerationConfig:
    """Return how text is generated. Raises: UsageError that says which option is wrong."""
    try:
        return GenerationConfig.model_validate(options)
    except ValidationError as error:
        found = [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_url=False)]
        lines = [f"{name.replace('_', '-')}: {why}" if name else why for name, why in found]
        raise UsageError("; ".join(lines)) from None
