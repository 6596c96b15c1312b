from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from dlx.exporters import Exportable, Exporter, GraphRuntime, Runtime
from dlx.layers import Layer
from dlx.tensors import Spec


class Onnx(Exporter):
    """ONNX: a graph that ONNX Runtime executes on servers, phones and in browsers, without torch.

    The run is traced by torch.export and converted by torch.onnx. Transforms and the softmax are part of the graph; how
    categories and text become numbers stands in its metadata, so that `dlx predict model.onnx INPUT` needs no torch.
    The batch is free, and so is the length of sequences where it varied in the data.

    With `quantize` a second graph, `model.int8.onnx`, multiplies whole numbers of 8 bits: smaller, and on most CPUs
    faster. Its weights have a scale for each channel. int8_dynamic finds the scale of activations anew for every batch,
    and leaves convolutions alone; int8_static has learned it from train samples. It is written if `min_agreement` of
    the samples get the decision of the run; where numbers are predicted, if so many are within `quantized_tolerance`.

    Source:  onnx.ai; pytorch.org/docs/stable/onnx_export.html; Jacob et al. 2018, arXiv:1712.05877 (int8).

    Example:
        {type: onnx, quantize: int8_static}
    """

    extra: ClassVar[str | None] = "export"
    requires: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")
    file_name: ClassVar[str] = "model.onnx"
    reader: ClassVar[str] = "by ONNX Runtime"
    primary: ClassVar[str | None] = "quantize"
    type: Literal["onnx"] = "onnx"
    quantize: Literal["int8_dynamic", "int8_static"] | None = None
    """How a second graph with whole numbers of 8 bits is made; null for none."""
    calibration: Literal["min_max", "entropy", "percentile"] = "min_max"
    """With int8_static: how the range of activations is chosen. entropy and percentile cut off rare large values."""
    calibration_samples: int = Field(256, ge=1)
    """With int8_static: train samples by which the range of activations is measured."""
    min_agreement: float = Field(0.95, ge=0, le=1)
    """Share of samples of which the quantized graph must decide as the run does."""
    quantized_tolerance: float = Field(0.1, gt=0)
    """How far a predicted number of the quantized graph may be from the run's, in standard deviations of these."""

    @property
    def artifact_name(self) -> str:
        return self.file_name if self.is_exact else "model.int8.onnx"

    @property
    def is_exact(self) -> bool:
        return self.quantize is None

    def variants(self) -> dict[str, Exporter]:
        exact = self.evolve("quantize", None)
        return {"": exact} if self.is_exact else {"": exact, "_int8": self}

    def limit(self, predictions: Any, spread: float) -> Any:
        return super().limit(predictions, spread) if self.is_exact else self.quantized_tolerance * spread

    def accepts(self, is_close: bool, agreement: float) -> bool:
        return is_close if self.is_exact else agreement >= self.min_agreement

    def layer_refusal(self, layer: Layer, x: Spec) -> str | None:
        return layer.export_refusal(x) or layer.onnx_refusal(x)  # type: ignore[arg-type]

    def write(self, run: Exportable, folder: Path) -> list[Path]:
        from dlx.exporters.onnx.graph import write_graph

        if self.quantize is None:
            return write_graph(run, folder / self.file_name)

        from dlx.exporters.onnx.quantization import quantize_dynamic, quantize_static

        (graph, *_), path = write_graph(run, folder / self.file_name), folder / self.artifact_name
        if self.quantize == "int8_dynamic":
            quantize_dynamic(graph, path)
        else:
            quantize_static(graph, path, run.calibration(self.calibration_samples), self.calibration)
        return [path]

    def open(self, path: Path, run: Exportable) -> Runtime:
        import torch

        from dlx.exporters.onnx.runtime import OnnxRuntime

        return OnnxRuntime(path, torch.get_num_threads())

    @classmethod
    def load(cls, path: Path) -> GraphRuntime:
        from dlx.exporters.onnx.runtime import OnnxRuntime

        return OnnxRuntime(path)
