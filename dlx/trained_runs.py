"""Python API of trained runs: evaluate, predict, export, embed, generate, sample. Light until one is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlx.console import new_console

if TYPE_CHECKING:
    from dlx.engine.export.export import ExportReport
    from dlx.engine.inference.embed import Embeddings
    from dlx.engine.inference.evaluation import Evaluation
    from dlx.engine.inference.predictions import Predictions
    from dlx.engine.inference.sample import Samples

Inputs = str | Path | Sequence[str | Path]
Formats = Sequence[str] | Mapping[str, Any]


def evaluate(
    run: str | Path, split: Literal["test", "val", "train"] = "test", data: str | Path | None = None
) -> Evaluation:
    """Measure a trained run on a split of its data, or on all of other data. Raises: CheckpointError; DataError."""
    from dlx.engine.inference.files import check_data
    from dlx.tracking.store import find_checkpoint

    checkpoint = find_checkpoint(run)
    if data is not None:
        check_data(Path(data))

    from dlx.engine.inference import evaluate as engine

    return engine.evaluate(checkpoint, split, data)


def predict(run: str | Path, inputs: Inputs = (), *, split: str | None = None, keep: Sequence[str] = ()) -> Predictions:
    """Predict the target of samples in files or folders, or with `split` of a run's own data, beside the truth.

    keep  columns of the data that are to stand beside the predictions. Raises: UsageError; CheckpointError; DataError.
    """
    from dlx.engine.inference.artifact import is_artifact, predict_artifact
    from dlx.engine.inference.files import input_files
    from dlx.tracking.store import find_checkpoint

    checkpoint = find_checkpoint(run)
    paths = input_files(_paths(inputs)) if split is None else []
    if is_artifact(checkpoint):
        return predict_artifact(checkpoint, paths, keep)

    from dlx.engine.inference import predict as engine

    return engine.predict(checkpoint, paths, keep) if split is None else engine.predict_split(checkpoint, split, keep)


def export(
    run: str | Path,
    formats: Formats = (),
    *,
    folder: str | Path | None = None,
    quantize: str | None = None,
    benchmark: bool = False,
    console: Any = None,
) -> ExportReport:
    """Export a run in formats by name, or with options; by default as its recipe says, or to ONNX, into its directory.

    `quantize` adds an ONNX graph of 8 bits; `benchmark` compares all formats and writes nothing. What does not agree
    with the run is not written. Raises: UsageError if it cannot be exported; CheckpointError; DataError.
    """
    from dlx.tracking.store import find_run

    found = find_run(str(run))

    from dlx.engine.export import command as engine

    shown = console or new_console(error=True)
    if benchmark:
        return engine.benchmark(found, shown)
    return engine.export(found, formats, Path(folder) if folder else None, quantize, shown)


def embed(run: str | Path, inputs: Inputs) -> Embeddings:
    """Return a vector for every sample in files or folders: a code, or features. Raises: UsageError; DataError."""
    from dlx.engine.inference.files import input_files
    from dlx.tracking.store import find_checkpoint

    checkpoint, paths = find_checkpoint(run), input_files(_paths(inputs))

    from dlx.engine.inference import embed as engine

    return engine.embed(checkpoint, paths)


def _paths(inputs: Inputs) -> list[Path]:
    return [Path(path) for path in ([inputs] if isinstance(inputs, str | Path) else inputs)]


def generate(run: str | Path, prompt: str | None = None, n: int = 1, **options: Any) -> list[str]:
    """Return n texts that a trained run writes after a prompt, which they begin with; None is a new line.

    options are those of `dlx generate`: max_new_tokens, temperature, top_k, top_p, repetition_penalty, num_beams,
    length_penalty, seed, stop_strings. Raises: UsageError; CheckpointError.
    """
    from dlx.decoding.config import read_generation_config
    from dlx.tracking.store import find_checkpoint

    checkpoint, how = find_checkpoint(run), read_generation_config(options)

    from dlx.engine.inference import generate as engine

    return engine.generate(checkpoint, prompt, n, how)


def sample(
    run: str | Path, n: int = 64, seed: int = 0, *, label: str | None = None, steps: int | None = None
) -> Samples:
    """Return n samples that a trained run makes of noise, the same for the same seed; of a class, or of all in turn.

    steps is how many there are from noise to a sample, where a run takes several. Raises: UsageError; CheckpointError.
    """
    from dlx.tracking.store import find_checkpoint

    checkpoint = find_checkpoint(run)

    from dlx.engine.inference import sample as engine

    return engine.sample(checkpoint, n, seed, label, steps)
