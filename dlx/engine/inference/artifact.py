"""Predictions of an exported graph (.onnx), by ONNX Runtime. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from dlx.engine.export.inputs import ArtifactInput, artifact_inputs
from dlx.engine.inference.predictions import Predictions, pad_outputs
from dlx.engine.inference.read import read_inputs
from dlx.errors import CheckpointError, DataError, UsageError
from dlx.exporters import GraphRuntime, exporter_of
from dlx.facts import DataFacts
from dlx.plugins import activate_plugins
from dlx.recipe.load import with_environment
from dlx.recipe.schema.recipe import Recipe
from dlx.sources import LazySamples, Spans

BATCH_SIZE = 64


@dataclass(frozen=True)
class LoadedArtifact:
    """A graph that is ready to predict, with the recipe and the facts of the run that it was."""

    runtime: GraphRuntime
    recipe: Recipe
    facts: DataFacts
    metadata: Mapping[str, Any]

    def predict(self, arrays: Mapping[str, Any]) -> np.ndarray:
        """Return predictions (N, …) of encoded samples."""
        inputs = artifact_inputs(self.facts, bool(self.metadata["fixed_steps"]))
        found = [self.runtime(batch)[0] for batch in input_batches(arrays, inputs)]
        return np.concatenate(pad_outputs(found))


def is_artifact(path: Path) -> bool:
    """Say whether a file is an exported graph or program, and not a checkpoint."""
    exporter = exporter_of(path)
    return exporter is not None and not exporter.is_checkpoint


def load_artifact(path: Path) -> LoadedArtifact:
    """Load a graph that dlx has written.

    Raises: UsageError where it is none for dlx; CheckpointError if it cannot be loaded, or another program wrote it.
    """
    activate_plugins()
    exporter = exporter_of(path)
    assert exporter is not None
    runtime = exporter.load(path)
    if runtime.metadata is None:
        raise CheckpointError(f"{path} was not written by `dlx export`: it does not say how its inputs are made")
    try:
        metadata = json.loads(runtime.metadata)
        recipe = Recipe.model_validate(with_environment(metadata["recipe"]))
        return LoadedArtifact(runtime, recipe, DataFacts.from_json(metadata["facts"]), metadata)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise CheckpointError(f"{path} holds a recipe that cannot be read here: {place}: {first['msg']}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} lacks what dlx writes into a graph: {error}") from None


def predict_artifact(path: Path, paths: list[Path], keep: Sequence[str] = ()) -> Predictions:
    """Predict samples in files by a graph.

    Raises: UsageError without files; CheckpointError; DataError where they do not fit the graph.
    """
    if not paths:
        raise UsageError(f"{path} does not know its data; name files, or predict with the run")
    artifact = load_artifact(path)
    found = read_inputs(paths, artifact.recipe.data.source, artifact.facts, keep)
    values = artifact.predict(found.arrays)
    columns = artifact.recipe.task.predictions_table(values, artifact.facts)
    masks = values.argmax(1) if "mask" in columns else None
    return Predictions({**found.origin, **columns}, list(found.warnings), masks, found.sizes, artifact.facts.classes)


def input_batches(arrays: Mapping[str, Any], inputs: Sequence[ArtifactInput]) -> Iterator[dict[str, np.ndarray]]:
    """Yield batches of encoded samples as an artifact takes them, in order."""
    count = len(next(iter(arrays.values())))
    for first in range(0, count, BATCH_SIZE):
        rows = np.arange(first, min(count, first + BATCH_SIZE))
        yield {entry.name: _input(entry, arrays[entry.field], rows) for entry in inputs}


def _input(entry: ArtifactInput, values: Any, rows: np.ndarray) -> np.ndarray:
    if isinstance(values, Spans):
        return _sequences(entry, values, rows)
    if isinstance(values, LazySamples):
        return np.stack([np.asarray(values[int(row)]) for row in rows])
    return np.ones(values[rows].shape[:2], dtype=bool) if entry.is_mask else np.ascontiguousarray(values[rows])


def _sequences(entry: ArtifactInput, values: Spans, rows: np.ndarray) -> np.ndarray:
    """Return sequences padded to the longest of them, or to as many steps as the graph takes; or their mask."""
    longest = int(values.lengths[rows].max(initial=0))
    if entry.varies and entry.longest is not None and longest > entry.longest:
        raise DataError(f"'{entry.field}' has {longest} steps in a sample, but the model takes {entry.longest} at most")
    steps = np.arange(entry.steps or longest)
    real = steps < values.lengths[rows, None]
    if entry.is_mask:
        return real
    found = np.ascontiguousarray(values.values[np.where(real, values.starts[rows, None] + steps, 0)])
    found[~real] = 0
    return found
