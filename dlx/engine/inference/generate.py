"""What a trained run writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlx.decoding.config import GenerationConfig
from dlx.engine.inference.restore import Restored, restore
from dlx.errors import UsageError


def decoding(options: Mapping[str, Any]) -> GenerationConfig:
    """Return how text is written. Raises: UsageError that says which option is wrong."""
    try:
        return GenerationConfig.model_validate(options)
    except ValidationError as error:
        said = [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_url=False)]
        lines = [f"{name.replace('_', '-')}: {why}" if name else why for name, why in said]
        raise UsageError("; ".join(lines)) from None


def stream(restored: Restored, prompt: str | None, how: GenerationConfig) -> Iterator[str]:
    """Yield a text, piece by piece: the prompt, and what follows it. Raises: UsageError if the run learned something
    else than to write, or does not know the prompt.
    """
    writing: Any = getattr(restored.module, "stream", None)
    if writing is None:
        task = restored.plan.recipe.task.type
        raise UsageError(f"a run of the task {task} does not write text of its own; `dlx predict` applies it to inputs")
    return writing(prompt, how)  # type: ignore[no-any-return]


def generate(run: str | Path, prompt: str | None, n: int, options: Mapping[str, Any]) -> list[str]:
    """Return n texts that begin with a prompt; each is drawn by a seed of its own, the first by that of the options.

    Raises: UsageError; CheckpointError.
    """
    restored, how = restore(run), decoding(options)
    return ["".join(stream(restored, prompt, seeded(how, i))) for i in range(n)]


def seeded(how: GenerationConfig, number: int) -> GenerationConfig:
    """Return how the text of this number is written."""
    return how if number == 0 else how.evolve("seed", how.seed + number)
