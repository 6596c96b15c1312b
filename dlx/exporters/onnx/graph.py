"""A traced program as an ONNX graph with metadata."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from dlx.errors import RunError
from dlx.exporters import METADATA, OUTPUT, Exportable
from dlx.exporters._program_torch import export_program, first_line


def write_graph(run: Exportable, path: Path) -> list[Path]:
    """Write a run as ONNX; weights of more than 2 GB stand in a file beside. Raises: RunError if it cannot be."""
    program = export_program(run)
    try:
        with silence_onnx():
            graph = torch.onnx.export(
                program, dynamo=True, verbose=False, input_names=list(run.names), output_names=[OUTPUT]
            )
    except Exception as error:  # torch.onnx raises many kinds
        raise RunError(f"ONNX has no operator for the run: {first_line(root_cause(error))}") from error
    assert graph is not None
    opset = graph.model.opset_imports[""]
    graph.model.metadata_props[METADATA] = json.dumps({**run.metadata, "opset": opset})
    graph.save(str(path))
    return [path, *sorted(other for other in path.parent.iterdir() if other.name == f"{path.name}.data")]


def root_cause(error: BaseException) -> Exception:
    """Return the first of the errors that led to this one."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error if isinstance(error, Exception) else Exception(str(error))


@contextlib.contextmanager
def silence_onnx() -> Iterator[None]:
    """Keep what torch.onnx and onnxscript print from the console."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
