"""Model logging: a run's checkpoint as an MLflow pyfunc model, whose code is dlx itself; nothing is pickled."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dlx.files import copy_file
from dlx.installation import DISTRIBUTION
from dlx.tracking.spool import TrackingState
from dlx.version import __version__

MODEL_NAME = "model"
LOADER = "dlx.engine.inference.served"
"""Module whose `_load_pyfunc` MLflow calls with the folder that holds the checkpoint."""
REQUIREMENTS = ("torch", "pytorch-lightning", "torchmetrics", "numpy", "pandas")


def log_model(client: Any, state: TrackingState, checkpoint: Path, signature: Mapping[str, Any]) -> None:
    """Store a model with the run. Raises: whatever the tracker does; FileNotFoundError if the checkpoint is gone."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    already = client.get_run(state.run_id).outputs
    if already is not None and already.model_outputs:
        return
    model = client.create_logged_model(state.experiment, MODEL_NAME, state.run_id)
    with tempfile.TemporaryDirectory() as folder:
        _save_pyfunc(Path(folder), Model(run_id=state.run_id, model_id=model.model_id), checkpoint, signature)
        client.log_model_artifacts(model.model_id, str(Path(folder) / MODEL_NAME))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(state.run_id, [LoggedModelOutput(model.model_id, 0)])


def _save_pyfunc(folder: Path, described: Any, checkpoint: Path, signature: Mapping[str, Any]) -> None:
    import mlflow.pyfunc

    data = folder / "checkpoint"
    data.mkdir()
    for path in (checkpoint, checkpoint.with_name(checkpoint.name + ".sha256")):
        if path.exists():
            copy_file(path, data / path.name)
    mlflow.pyfunc.save_model(
        str(folder / MODEL_NAME),
        loader_module=LOADER,
        data_path=str(data),
        mlflow_model=described,
        signature=_model_signature(signature),
        input_example=_input_example(signature),
        pip_requirements=[f"{DISTRIBUTION}=={__version__}", *(f"{name}=={version(name)}" for name in REQUIREMENTS)],
    )


def _model_signature(plain: Mapping[str, Any]) -> Any:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType

    outputs = Schema([ColSpec(kind, name) for name, kind in plain["outputs"]])
    if plain["tabular"]:
        # MLflow takes no integers for doubles, nor the other way round; dlx reads both
        kinds = [(name, AnyType() if kind == "double" else kind) for name, kind in plain["inputs"]]
        return ModelSignature(Schema([ColSpec(kind, name, required=True) for name, kind in kinds]), outputs)
    several = len(plain["inputs"]) > 1
    tensors = [TensorSpec(np.dtype(d), tuple(dims), name if several else None) for name, d, dims in plain["inputs"]]
    return ModelSignature(Schema(tensors), outputs)


def _input_example(plain: Mapping[str, Any]) -> Any:
    if plain["example"] is None:
        return None
    if plain["tabular"]:
        import pandas as pd

        return pd.DataFrame([plain["example"]])
    import numpy as np

    kinds = {name: np.dtype(kind) for name, kind, _ in plain["inputs"]}
    arrays = {name: np.zeros((1, *dims), kinds[name]) for name, dims in plain["example"].items()}
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))
