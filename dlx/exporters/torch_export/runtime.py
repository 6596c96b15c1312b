"""A .pt2 file in a process of its own, where dlx is not there."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from dlx.errors import RunError
from dlx.exporters.torch_export.worker import read_message, write_message


class ProgramProcess:
    """A process with plain torch that has loaded a program; it answers until it is closed."""

    def __init__(self, path: Path, num_threads: int) -> None:
        script = Path(__file__).with_name("worker.py")
        command = [sys.executable, "-I", str(script), str(path.absolute()), str(num_threads)]
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # a pipe that nobody reads would fill
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def __call__(self, inputs: Mapping[str, np.ndarray], repeats: int = 1) -> tuple[np.ndarray, list[float]]:
        """Return the predictions of a batch, and the seconds of each repeat. Raises: RunError if the program fails."""
        writer = io.BytesIO()
        arrays: dict[str, Any] = {f"input_{i}": value for i, value in enumerate(inputs.values())}
        np.savez(writer, repeats=repeats, **arrays)
        try:
            write_message(cast(BinaryIO, self.process.stdin), writer.getvalue())
            answer = read_message(cast(BinaryIO, self.process.stdout))
        except (BrokenPipeError, EOFError):
            raise RunError(f"the program fails in a process of its own: {self._last_error()}") from None
        found = np.load(io.BytesIO(answer), allow_pickle=False)
        return found["predictions"], found["seconds"].tolist()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def _last_error(self) -> str:
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended without an error"
