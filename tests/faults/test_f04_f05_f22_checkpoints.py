"""F04, F05, F22: a checkpoint that is truncated, has a flipped bit, is another program's, or holds code."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kit import train_in

import dlx
from dlx.errors import CheckpointError

RECIPE = """
name: tiny
task: classification
data: {source: {sklearn: iris}}
model: linear
train: {epochs: 1}
hardware: {accelerator: cpu, num_threads: 1}
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return train_in(tmp_path_factory.mktemp("checkpoints"), RECIPE).checkpoint


def _copied(checkpoint, folder, with_manifest=True):
    copy = folder / checkpoint.name
    shutil.copy(checkpoint, copy)
    if with_manifest:
        shutil.copy(f"{checkpoint}.sha256", f"{copy}.sha256")
    return copy


def test_f05_the_whole_checkpoint_is_accepted(checkpoint, tmp_path):
    assert dlx.evaluate(_copied(checkpoint, tmp_path)).metrics


def test_f05_a_flipped_bit_is_refused_wherever_it_is(checkpoint, tmp_path):
    copy = _copied(checkpoint, tmp_path)
    content = copy.read_bytes()
    for place in (0, len(content) // 3, len(content) // 2, len(content) - 1):
        flipped = bytearray(content)
        flipped[place] ^= 1
        copy.write_bytes(bytes(flipped))
        with pytest.raises(CheckpointError, match="damaged"):
            dlx.evaluate(copy)


@pytest.mark.parametrize("with_manifest", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_f04_a_truncated_checkpoint_is_refused_by_name(checkpoint, tmp_path, share, with_manifest):
    copy = _copied(checkpoint, tmp_path, with_manifest)
    content = copy.read_bytes()
    copy.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=str(copy)):
        dlx.evaluate(copy)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("save", [lambda value, path: path.write_bytes(pickle.dumps(value)), torch.save])
def test_f22_code_in_a_checkpoint_is_not_run(tmp_path, save):
    path, trace = tmp_path / "evil.ckpt", tmp_path / "was-here"
    save({"state_dict": {}, "dlx": "{}", "evil": Evil(trace)}, path)
    with pytest.raises(CheckpointError, match="trusted"):
        dlx.evaluate(path)
    assert not trace.exists()
    torch.load(path, weights_only=False) if save is torch.save else pickle.loads(path.read_bytes())
    assert trace.exists(), "the checkpoint would have been harmless anyway"


@pytest.mark.parametrize("content", [{"state_dict": {}}, {"dlx": "{}"}, {"dlx": "[1]"}, {"dlx": "no json"}, [1, 2]])
def test_a_foreign_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "foreign.ckpt"
    torch.save(content, path)
    with pytest.raises(CheckpointError):
        dlx.evaluate(path)


def test_the_command_says_one_sentence_and_exits_with_1(tmp_path):
    path = tmp_path / "bad.ckpt"
    path.write_bytes(b"nothing")
    command = [sys.executable, "-m", "dlx", "eval", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert result.returncode == 1
    assert result.stdout == ""
    loading, said = result.stderr.strip().splitlines()
    assert loading == f"loading {path} …" and said.startswith("error: ")
