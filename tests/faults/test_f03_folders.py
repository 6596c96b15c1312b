"""F03: where nothing can be written, a run ends before its first step, and says where."""

import subprocess
import sys

import pytest

RECIPE = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: linear\ntrain: {epochs: 1}\n"


@pytest.mark.parametrize("kind", ["file", "read_only"])
def test_a_place_that_cannot_be_written_is_said_before_the_first_step(tmp_path, kind):
    (tmp_path / "r.yaml").write_text(RECIPE)
    if kind == "file":
        (tmp_path / "runs").write_text("in the way")
    else:
        (tmp_path / "runs").symlink_to("/proc/sys")  # where not even root makes a directory
    command = [sys.executable, "-m", "dlx", "train", "r.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "runs cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "mlflow.db").exists()
