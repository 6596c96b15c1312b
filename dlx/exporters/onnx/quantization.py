"""Quantization of a graph to whole numbers of 8 bits, by ONNX Runtime: QDQ nodes, a scale for each channel."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime import quantization

from dlx.errors import RunError

DYNAMIC_OPS = ("MatMul", "Gemm")
"""Operators that are quantized with activations of every batch; ONNX Runtime has no fast convolution of this kind."""
STATIC_OPS = ("Conv", "MatMul", "Gemm")
METHODS = {
    "min_max": quantization.CalibrationMethod.MinMax,
    "entropy": quantization.CalibrationMethod.Entropy,
    "percentile": quantization.CalibrationMethod.Percentile,
}


class CalibrationBatches(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Batches of train samples, as ONNX Runtime reads them."""

    def __init__(self, batches: Iterable[Mapping[str, np.ndarray]]) -> None:
        self.batches = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch; None at the end."""
        batch = next(self.batches, None)
        return None if batch is None else dict(batch)


def quantize_dynamic(graph: Path, path: Path) -> None:
    """Quantize the weights of matrix products; activations are quantized as they come. Raises: RunError."""
    with quantization_errors():
        quantization.quantize_dynamic(
            prepare(graph), path, op_types_to_quantize=list(DYNAMIC_OPS), per_channel=True,
            weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip


def quantize_static(graph: Path, path: Path, batches: Iterable[Mapping[str, np.ndarray]], calibration: str) -> None:
    """Quantize weights and activations, whose ranges are those on train samples. Raises: RunError."""
    with quantization_errors():
        quantization.quantize_static(
            prepare(graph), path, CalibrationBatches(batches), op_types_to_quantize=list(STATIC_OPS), per_channel=True,
            quant_format=quantization.QuantFormat.QDQ, activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8, calibrate_method=METHODS[calibration],
        )  # fmt: skip


def prepare(graph: Path) -> Path:
    """Write the graph with shapes inferred and operators fused, as quantization wants it; return its path."""
    prepared = graph.with_name("prepared.onnx")
    quantization.quant_pre_process(str(graph), str(prepared), skip_symbolic_shape=True)
    return prepared


@contextmanager
def quantization_errors() -> Iterator[None]:
    """Turn any error of ONNX Runtime into a RunError, and keep what it logs from the console."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except Exception as error:  # of any kind
        reason: Any = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"ONNX Runtime cannot quantize the graph: {reason}") from error
    finally:
        logging.disable(before)
