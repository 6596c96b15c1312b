from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from dlx.exporters import METADATA, Exportable, Exporter, Runtime
from dlx.layers import Layer
from dlx.tensors import Spec


class TorchExport(Exporter):
    """torch.export: a traced program (.pt2) that plain torch loads, and other compilers take from there.

    `torch.export.load("model.pt2").module()` needs torch and no dlx. ExecuTorch, TensorRT and AOTInductor begin with
    such a file. It is tried in a process of its own in which dlx cannot be imported.

    Source:  pytorch.org/docs/stable/export.html.

    Example:
        {type: torch_export}
    """

    file_name: ClassVar[str] = "model.pt2"
    reader: ClassVar[str] = "by plain torch, `torch.export.load(...).module()`"
    type: Literal["torch_export"] = "torch_export"

    def layer_refusal(self, layer: Layer, x: Spec) -> str | None:
        return layer.export_refusal(x)  # type: ignore[arg-type]

    def write(self, run: Exportable, folder: Path) -> list[Path]:
        import json

        import torch

        from dlx.exporters._program_torch import export_program

        path = folder / self.file_name
        torch.export.save(export_program(run), path, extra_files={f"{METADATA}.json": json.dumps(run.metadata)})
        return [path]

    def open(self, path: Path, run: Exportable) -> Runtime:
        import torch

        from dlx.exporters.torch_export.runtime import ProgramProcess

        return ProgramProcess(path, torch.get_num_threads())
