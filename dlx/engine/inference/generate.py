"""Text generation: what a trained language model writes after a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dlx.decoding.config import GenerationConfig
from dlx.engine.inference.restore import RestoredRun, restore
from dlx.errors import UsageError
from dlx.nn.protocols import Generates


def stream(restored: RestoredRun, prompt: str | None, how: GenerationConfig) -> Iterator[str]:
    """Generate a text piece by piece: the prompt, and what follows it.

    Raises: UsageError if the run is no language model, or does not know the prompt.
    """
    if not isinstance(restored.module, Generates):
        task = restored.plan.recipe.task.type
        raise UsageError(f"a run of the task {task} does not write text of its own; `dlx predict` applies it to inputs")
    return restored.module.stream(prompt, how)


def generate(run: str | Path, prompt: str | None, n: int, how: GenerationConfig) -> list[str]:
    """Return n texts that begin with a prompt; each is drawn by a seed of its own, the first by that of the options.

    Raises: UsageError; CheckpointError.
    """
    restored = restore(run)
    return ["".join(stream(restored, prompt, with_seed(how, i))) for i in range(n)]


def with_seed(how: GenerationConfig, number: int) -> GenerationConfig:
    """Return the decoding options of the text of this number."""
    return how if number == 0 else how.evolve("seed", how.seed + number)
