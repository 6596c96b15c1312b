"""Embeddings: the vectors that a trained network gives inputs, codes or features before its last layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlx.engine.build.experiment import device_of
from dlx.engine.inference.files import check_embedding_file, input_files
from dlx.engine.inference.predict import input_batches
from dlx.engine.inference.read import read_inputs
from dlx.engine.inference.restore import RestoredRun, restore
from dlx.errors import UsageError
from dlx.files import output_file, save_arrays, write_table
from dlx.nn.protocols import Embeds


@dataclass(frozen=True)
class Embeddings:
    """Embeddings: a vector for every sample.

    values  (N, F)
    what    what the vectors are, in words
    origin  columns that say where each sample comes from
    notes   what differs from when the run was trained
    """

    values: np.ndarray
    what: str
    origin: Mapping[str, list[Any]]
    notes: list[str]

    def __len__(self) -> int:
        return len(self.values)

    def frame(self) -> Any:
        """Return a pandas DataFrame: where samples come from, and columns z1, z2, …"""
        import pandas as pd

        named = pd.DataFrame(self.values, columns=[f"z{i + 1}" for i in range(self.values.shape[1])])
        return pd.concat([pd.DataFrame(dict(self.origin)), named], axis=1) if self.origin else named

    def write(self, path: Path) -> None:
        """Write them as the suffix of the file says. Raises: UsageError if they cannot be."""
        check_embedding_file(path)
        if path.suffix != ".npz":
            write_table(self.frame(), path)
            return
        origin: dict[str, Any] = {name: np.asarray(column) for name, column in self.origin.items()}
        with output_file(path):
            save_arrays(path, {"z": self.values, **origin})


def embed(run: str | Path, inputs: Sequence[str | Path]) -> Embeddings:
    """Return embeddings of samples in files and folders of the kind that a run was trained on.

    Raises: UsageError if an input is not there, or the run has no embedding; DataError where samples do not fit it.
    """
    paths = input_files([Path(i) for i in inputs])
    return embed_files(restore(run), paths)


def embed_files(restored: RestoredRun, paths: list[Path]) -> Embeddings:
    """Embed samples in files by a run that is restored already."""
    task = restored.plan.recipe.task
    module = restored.module
    if not isinstance(module, Embeds):
        raise UsageError(f"a run of the task {task.type} has no embedding of its inputs")
    found = read_inputs(paths, restored.plan.recipe.data.source, restored.plan.facts)
    module.to(device_of(restored.plan.recipe)).eval()
    with torch.no_grad():
        parts = [module.embed(batch).float().cpu() for batch in input_batches(found.arrays, restored.plan)]
    return Embeddings(
        torch.cat(parts).numpy(), task.embedding_description, found.origin, [*restored.notes, *found.warnings]
    )
