"""Answers batches with the predictions of a .pt2 file: plain torch, without dlx.   python -I worker.py FILE THREADS

A message is its length in 8 bytes, and an .npz: inputs in order and the number of repeats, or predictions and seconds.
"""

from __future__ import annotations

import io
import sys
import time
from typing import BinaryIO

LENGTH_BYTES = 8


def read_message(stream: BinaryIO) -> bytes:
    """Return the next message. Raises: EOFError at the end of the stream."""
    length = int.from_bytes(_read(stream, LENGTH_BYTES), "big")
    return _read(stream, length)


def write_message(stream: BinaryIO, content: bytes) -> None:
    """Write a message."""
    stream.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
    stream.flush()


def _read(stream: BinaryIO, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content


def main(path: str, num_threads: int) -> None:
    """Load a program, and answer until the stream ends."""
    sys.modules["dlx"] = None  # type: ignore[assignment]  # so that an import of it fails
    import numpy as np
    import torch

    torch.set_num_threads(num_threads)
    module = torch.export.load(path).module()
    while True:
        try:
            request = np.load(io.BytesIO(read_message(sys.stdin.buffer)))
        except EOFError:
            return
        inputs = [torch.from_numpy(request[f"input_{i}"]) for i in range(len(request.files) - 1)]
        seconds = []
        with torch.inference_mode():
            for _ in range(int(request["repeats"])):
                began = time.perf_counter()
                predictions = module(*inputs)
                seconds.append(time.perf_counter() - began)
        writer = io.BytesIO()
        np.savez(writer, predictions=predictions.numpy(), seconds=np.array(seconds))
        write_message(sys.stdout.buffer, writer.getvalue())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
