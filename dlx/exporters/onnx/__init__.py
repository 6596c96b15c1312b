from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from dlx.exporters import Exportable, Exporter, GraphRuntime, Runtime
from dlx.layers import Layer
from dlx.tensors import Spec


class Onnx(Exporter):
    """ONNX: a graph that ONNX Runtime executes on servers, phones and in browsers, without torch.

    The run is traced by torch.export and converted by torch.onnx. Transforms and the softmax are part of the graph; how
    categories and text become numbers stands in its metadata, so that `dlx predict model.onnx INPUT` needs no torch.
    The batch is free, and so is the length of sequences where it varied in the data.

    Source:  onnx.ai; pytorch.org/docs/stable/onnx_export.html.

    Example:
        {type: onnx}
    """

    extra: ClassVar[str | None] = "export"
    requires: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")
    file_name: ClassVar[str] = "model.onnx"
    reader: ClassVar[str] = "by ONNX Runtime"
    type: Literal["onnx"] = "onnx"

    def layer_refusal(self, layer: Layer, x: Spec) -> str | None:
        return layer.export_refusal(x) or layer.onnx_refusal(x)  # type: ignore[arg-type]

    def write(self, run: Exportable, folder: Path) -> list[Path]:
        from dlx.exporters.onnx.graph import write_graph

        return write_graph(run, folder / self.file_name)

    def open(self, path: Path, run: Exportable) -> Runtime:
        import torch

        from dlx.exporters.onnx.runtime import OnnxRuntime

        return OnnxRuntime(path, torch.get_num_threads())

    @classmethod
    def load(cls, path: Path) -> GraphRuntime:
        from dlx.exporters.onnx.runtime import OnnxRuntime

        return OnnxRuntime(path)
