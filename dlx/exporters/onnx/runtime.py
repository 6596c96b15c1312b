"""ONNX Runtime: an artifact that predicts without torch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlx.errors import CheckpointError
from dlx.exporters import METADATA


class OnnxRuntime:
    """A session of ONNX Runtime on the CPU."""

    def __init__(self, path: Path, num_threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = num_threads, 4
        try:
            self.session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no class in common
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"{path} is no model that ONNX Runtime can load: {reason}") from None
        self.metadata: str | None = self.session.get_modelmeta().custom_metadata_map.get(METADATA)

    def __call__(self, inputs: Mapping[str, np.ndarray], repeats: int = 1) -> tuple[np.ndarray, list[float]]:
        """Return the predictions of a batch, and the seconds of each repeat."""
        feeds, seconds = dict(inputs), []
        for _ in range(repeats):
            began = time.perf_counter()
            (predictions,) = self.session.run(None, feeds)
            seconds.append(time.perf_counter() - began)
        return predictions, seconds

    def close(self) -> None:
        """Do nothing: the session ends with the object."""
