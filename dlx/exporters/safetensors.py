from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal

from dlx.exporters import METADATA, Exportable, Exporter, Runtime
from dlx.files import write_atomic

CONFIG = "config.json"


class Safetensors(Exporter):
    """Safetensors: the weights alone, and the recipe with what the data are as `config.json` beside them.

    `dlx predict model.safetensors INPUT` builds the network from the recipe; plain torch loads the weights by
    `safetensors.torch.load_file` into a module of its own. Nothing in the file can run. Every layer can be exported.

    Source:  github.com/huggingface/safetensors.

    Example:
        {type: safetensors}
    """

    file_name: ClassVar[str] = "model.safetensors"
    reader: ClassVar[str] = "by dlx, and its weights by `safetensors.torch.load_file`"
    is_checkpoint: ClassVar[bool] = True
    type: Literal["safetensors"] = "safetensors"

    def write(self, run: Exportable, folder: Path) -> list[Path]:
        from safetensors.torch import save_file

        path, config = folder / self.file_name, folder / CONFIG
        state = {name: value.detach().contiguous().clone() for name, value in run.state.items()}
        save_file(state, path, metadata={METADATA: json.dumps(run.metadata), "format": "pt"})
        write_atomic(config, json.dumps(run.metadata, indent=2).encode())
        return [path, config]

    def open(self, path: Path, run: Exportable) -> Runtime:
        return run.restore(path)
