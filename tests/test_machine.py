"""What dlx may use of a machine."""

from dlx.machine import _cgroup_quota, cores


def test_threads_are_bounded_by_the_environment_and_the_control_group(tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert _cgroup_quota(tmp_path) == 2
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert _cgroup_quota(tmp_path) is None
    assert _cgroup_quota(tmp_path / "none") is None
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cores() == 1
