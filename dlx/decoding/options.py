"""How text is written, token after token. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, Strict, ValidationError, model_validator

from dlx.component import Section
from dlx.errors import UsageError

DRAWN = ("temperature", "top_k", "top_p", "seed")


class Decoding(Section):
    """Generation options: how the next token is chosen from the logits, and when a text is over.

    Tokens are sampled from their probabilities, but for `temperature: 0` (greedy search) and `num_beams` above 1 (beam
    search). Every text also ends with the end token. Padding, unknown and begin are never written.
    """

    max_new_tokens: int = Field(200, ge=1)
    """Tokens that are written at most."""
    temperature: float = Field(1.0, ge=0)
    """Scores are divided by it: below 1 the probable is more probable; 0 always takes the most probable token."""
    top_k: int | None = Field(None, ge=1)
    """Only so many of the most probable tokens are drawn from."""
    top_p: float | None = Field(None, gt=0, le=1)
    """Only the most probable tokens are drawn from which together have at least this probability."""
    repetition_penalty: float = Field(1.0, gt=0)
    """Scores of tokens that are in the text already are divided by it if positive, else multiplied (Keskar et al.
    2019, arXiv:1909.05858); 1 changes nothing."""
    num_beams: int = Field(1, ge=1)
    """Texts that are continued side by side, of which the most probable is kept; 1 is no beam search."""
    length_penalty: float = Field(0.6, ge=0)
    """Of a beam: log-probabilities are divided by ((5 + length) / 6) to this power, so that short texts are not
    preferred (Wu et al. 2016, arXiv:1609.08144); 0 compares them as they are."""
    seed: int = Field(0, ge=0)
    """Which random numbers are drawn: the same seed gives the same text."""
    stop_strings: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Strict(False)] = ()
    """Texts before which writing ends."""

    @model_validator(mode="after")
    def _a_beam_draws_nothing(self) -> Self:
        drawn = [name for name in DRAWN if name in self.model_fields_set]
        if self.num_beams > 1 and drawn:
            raise ValueError(f"a beam draws nothing: leave out {', '.join(drawn)}, or num_beams")
        return self


def decoding(options: Mapping[str, Any]) -> Decoding:
    """Return how text is written. Raises: UsageError that says which option is wrong."""
    try:
        return Decoding.model_validate(options)
    except ValidationError as error:
        found = [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_url=False)]
        lines = [f"{name.replace('_', '-')}: {why}" if name else why for name, why in found]
        raise UsageError("; ".join(lines)) from None
