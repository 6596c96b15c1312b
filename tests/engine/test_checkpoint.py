import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dlx.engine.checkpoint import AtomicCheckpointIO, load_checkpoint, manifest_path, metadata_of, remove_leftovers
from dlx.errors import CheckpointError

KILLS = 25

KILLED = """
import os, random, signal, sys, time, torch
from pathlib import Path
from dlx.engine.checkpoint import AtomicCheckpointIO, load_checkpoint

def save_for_ever(path, told):
    step = 0
    while True:
        step += 1
        content = {"state_dict": {"w": torch.full((100_000,), float(step))}, "step": step}
        AtomicCheckpointIO().save_checkpoint(content, path)
        os.write(told, b".")

path, draw = Path(sys.argv[1]), random.Random(0)
for _ in range(int(sys.argv[2])):
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        save_for_ever(path, told)
    os.close(told)
    finished = len(os.read(heard, 1))
    time.sleep(draw.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    finished += len(os.read(heard, 100_000))
    again = load_checkpoint(path)
    assert again["step"] in (finished, finished + 1), (again["step"], finished)
    assert (again["state_dict"]["w"] == again["step"]).all()
"""

FULL = """
import resource, signal, sys, torch
from pathlib import Path
from dlx.engine.checkpoint import AtomicCheckpointIO
from dlx.errors import CheckpointError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    AtomicCheckpointIO().save_checkpoint({"state_dict": {"w": torch.zeros(250_000)}, "step": 2}, Path(sys.argv[1]))
except CheckpointError as error:
    print(error)
    sys.exit(7)
"""


def content(value=1.0, n=1000):
    return {"state_dict": {"w": torch.full((n,), value), "i": torch.arange(3)}, "step": 1, "dlx": '{"a": 1}'}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(content(), path)
    return path


def assert_intact(path, step=1):
    again = AtomicCheckpointIO().load_checkpoint(path)
    assert again["step"] == step
    assert torch.equal(again["state_dict"]["w"], torch.full_like(again["state_dict"]["w"], float(step)))


def test_what_is_saved_comes_back(saved):
    assert_intact(saved)
    assert metadata_of(load_checkpoint(saved)) == {"a": 1}
    assert load_checkpoint(saved)["state_dict"]["i"].dtype == torch.int64
    assert {p.name for p in saved.parent.iterdir()} == {"last.ckpt", "last.ckpt.sha256"}


def test_a_new_checkpoint_takes_the_place_of_the_old(saved):
    AtomicCheckpointIO().save_checkpoint({**content(2.0), "step": 2}, saved)
    assert_intact(saved, 2)


def test_the_manifest_is_the_sha256_of_the_file(saved):
    import hashlib

    assert manifest_path(saved).read_text() == hashlib.sha256(saved.read_bytes()).hexdigest()


def test_a_removed_checkpoint_leaves_nothing(saved):
    AtomicCheckpointIO().remove_checkpoint(saved)
    assert list(saved.parent.iterdir()) == []
    with pytest.raises(CheckpointError, match=r"last\.ckpt cannot be read"):
        load_checkpoint(saved)


def test_f05_another_content_than_the_manifest_says_is_refused(saved):
    damaged = bytearray(saved.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    saved.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged"):
        load_checkpoint(saved)


@pytest.mark.parametrize("with_manifest", [True, False])
@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_f04_a_truncated_checkpoint_is_refused(saved, share, with_manifest):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    if not with_manifest:
        manifest_path(saved).unlink()
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        load_checkpoint(saved)


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_f22_code_is_refused_and_not_run(tmp_path, save):
    path, proof = tmp_path / "evil.ckpt", tmp_path / "proof"
    save({"state_dict": {}, "evil": Hostile(proof)}, path)
    with pytest.raises(CheckpointError, match=r"evil\.ckpt is not a checkpoint that can be trusted"):
        load_checkpoint(path)
    assert not proof.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_f10_weights_that_are_not_finite_are_never_saved(saved, value):
    bad = content()
    bad["state_dict"]["w"][17] = value
    with pytest.raises(CheckpointError, match="w has values that are not finite"):
        AtomicCheckpointIO().save_checkpoint(bad, saved)
    assert_intact(saved)


def test_another_programs_checkpoint_carries_nothing(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="not made by dlx"):
        metadata_of(load_checkpoint(tmp_path / "other.ckpt"))


def test_f02_a_full_disk_keeps_the_old_checkpoint(saved):
    result = subprocess.run([sys.executable, "-c", FULL, str(saved)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 7, result.stderr
    assert str(saved) in result.stdout
    assert "bytes) cannot be written: File too large" in result.stdout
    assert_intact(saved)
    assert {p.name for p in saved.parent.iterdir()} == {"last.ckpt", "last.ckpt.sha256"}


def test_f02_no_space_left_on_the_device(saved):
    """`/dev/full` answers every write with ENOSPC; the folder's own file is untouched."""
    from dlx import files

    real = files.tempfile.mkstemp
    with pytest.MonkeyPatch.context() as patch:
        import os

        def full(**options):
            handle, name = real(**options)
            os.close(handle)
            return os.open("/dev/full", os.O_WRONLY), name

        patch.setattr(files.tempfile, "mkstemp", full)
        with pytest.raises(CheckpointError, match=r"last\.ckpt .* bytes\) cannot be written: No space left on device"):
            AtomicCheckpointIO().save_checkpoint(content(2.0), saved)
    assert_intact(saved)


def test_f01_killed_while_saving_there_is_always_a_checkpoint_that_loads(tmp_path):
    path = tmp_path / "last.ckpt"
    command = [sys.executable, "-c", KILLED, str(path), str(KILLS)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    remove_leftovers(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"last.ckpt", "last.ckpt.sha256"}


@pytest.mark.parametrize("write", [1, 2, 3])
@pytest.mark.parametrize("with_manifest", [True, False])
def test_f01_between_any_two_writes_of_a_save_the_checkpoint_loads(saved, monkeypatch, write, with_manifest):
    if not with_manifest:
        manifest_path(saved).unlink()
    writes, real = [], Path.replace

    def stop_at(path, target):
        writes.append(target)
        if len(writes) == write:
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", stop_at)
    with pytest.raises(KeyboardInterrupt):
        AtomicCheckpointIO().save_checkpoint({**content(2.0), "step": 2}, saved)
    assert_intact(saved, 2 if write == 3 else 1)


@pytest.mark.parametrize("write", [1, 2])
def test_f01_between_any_two_writes_of_an_alias_the_other_name_loads(saved, monkeypatch, write):
    from dlx.engine import checkpoint

    newer = saved.with_name("newer.ckpt")
    AtomicCheckpointIO().save_checkpoint({**content(2.0), "step": 2}, newer)
    writes, real = [], checkpoint.write_atomic

    def stop_at(path, data):
        writes.append(path)
        if len(writes) == write:
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(checkpoint, "write_atomic", stop_at)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.link_checkpoint(newer, saved)
    assert load_checkpoint(saved)["step"] == (2 if write == 2 else 1)
