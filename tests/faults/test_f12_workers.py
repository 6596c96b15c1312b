"""F12: a process that reads samples dies, or has no shared memory: the message says why, and what to try."""

import re
import shutil
import subprocess
import sys
import textwrap

import pytest

DEADLY = """
    import os, signal
    import numpy as np
    from dlx.engine.data.batches import Batches
    from dlx.errors import RunError
    from dlx.sources import LazySamples

    class Deadly(LazySamples):
        shape, dtype = (4,), "float32"
        def __len__(self): return 8
        def __getitem__(self, row):
            if row == 7:  # killed, as by a system that runs out of memory
                os.kill(os.getpid(), signal.SIGKILL)
            return np.zeros(4, dtype=np.float32)

    print(len(list(Batches({"x": Deadly()}, np.arange(7), 2, 0, num_workers=1))), flush=True)
    try:
        list(Batches({"x": Deadly()}, np.arange(8), 2, 0, num_workers=1))
    except RunError as error:
        print(error, flush=True)
"""


def test_a_worker_that_is_killed_is_named_with_what_to_try(tmp_path):
    (tmp_path / "deadly.py").write_text(textwrap.dedent(DEADLY))
    command = [sys.executable, str(tmp_path / "deadly.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    count, message = done.stdout.split("\n", 1)
    assert count == "4"
    said = r"died: it (exited unexpectedly|broke off in the middle of a sample); .*data\.num_workers"
    assert re.search(said, message, re.DOTALL)


SMALL = """
    import numpy as np
    from dlx.engine.data.batches import Batches
    from dlx.sources import LazySamples

    class Large(LazySamples):
        shape, dtype = (100_000,), "float32"
        def __len__(self): return 8
        def __getitem__(self, row): return np.ones(100_000, dtype=np.float32)

    for workers in (0, 1):
        print(len(list(Batches({"x": Large()}, np.arange(8), 2, 0, num_workers=workers))), flush=True)
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, to give a process a small /dev/shm")
def test_a_small_shared_memory_is_named(tmp_path):
    (tmp_path / "small.py").write_text(textwrap.dedent(SMALL))
    small = "mount -t tmpfs -o size=64k tmpfs /dev/shm || exit 77; exec "
    command = ["unshare", "--mount", "sh", "-c", f"{small} {sys.executable} {tmp_path}/small.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this user may not mount a small /dev/shm")
    assert done.stdout.split() == ["4"], "without workers no shared memory is needed"
    assert "shared memory is full (/dev/shm has" in done.stderr and "data.num_workers=0" in done.stderr
