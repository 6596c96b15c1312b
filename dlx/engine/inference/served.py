"""A run behind MLflow's model interface: a table or arrays in, the table of `dlx predict` out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dlx.engine.inference.predict import predict_files
from dlx.engine.inference.predictions import Predictions
from dlx.engine.inference.restore import RestoredRun, restore
from dlx.files import save_arrays, write_table


class ServedRun:
    """A restored run as MLflow's pyfunc model; it reads inputs as `dlx predict` does, so that both predict the same."""

    def __init__(self, restored: RestoredRun) -> None:
        self.restored = restored

    def predict(self, model_input: Any, params: Any = None) -> Any:
        """Return a DataFrame with a row for every sample of a DataFrame, an array, or arrays by name."""
        with tempfile.TemporaryDirectory() as folder:
            found = predict_files(self.restored, [_write_input(model_input, Path(folder))])
        return Predictions({k: v for k, v in found.columns.items() if k not in ("file", "row")}, []).frame()


def _write_input(model_input: Any, folder: Path) -> Path:
    if hasattr(model_input, "to_parquet"):
        path = folder / "input.parquet"
        write_table(model_input, path)
        return path
    path = folder / "input.npz"
    arrays = model_input if isinstance(model_input, dict) else {"": np.asarray(model_input)}
    save_arrays(path, {str(name) or "input": value for name, value in arrays.items()})
    return path


def _load_pyfunc(path: str) -> ServedRun:
    """Load the checkpoint in a folder; MLflow calls this by its name."""
    (checkpoint,) = Path(path).glob("*.ckpt")
    return ServedRun(restore(checkpoint))
