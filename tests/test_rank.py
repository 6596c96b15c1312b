"""The rank of a process, and leftovers of other jobs in the environment."""

import os
import subprocess
import sys

import pytest

from dlx.rank import CLUSTER_VARIABLES, NEEDED, ignore_incomplete_cluster, process_rank


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in (*NEEDED, *CLUSTER_VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "leftovers",
    [
        {"RANK": "abc"},
        {"RANK": "²", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "WORLD_SIZE": "1", "MASTER_PORT": "1"},
        {"RANK": "3", "WORLD_SIZE": "4"},
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "2"},
        {"LOCAL_RANK": "-1"},
    ],
)
def test_an_incomplete_cluster_is_ignored_and_said(monkeypatch, capsys, leftovers):
    for name, value in leftovers.items():
        monkeypatch.setenv(name, value)
    ignore_incomplete_cluster()
    assert process_rank() is None
    assert not set(os.environ) & set(CLUSTER_VARIABLES)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "ignored" in said and all(v in said for v in leftovers.values() if v not in "01")


def test_a_job_of_one_task_is_no_leftover_to_speak_of(monkeypatch, capsys):
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_PROCID", "0")
    ignore_incomplete_cluster()
    assert capsys.readouterr().err == ""


def test_a_complete_cluster_stays(monkeypatch):
    for name, value in zip(NEEDED, ("1", "1", "2", "2", "29500"), strict=True):
        monkeypatch.setenv(name, value)
    ignore_incomplete_cluster()
    assert process_rank().rank == 1 and os.environ["RANK"] == "1"


def test_what_torch_needs_of_a_process_group_stays(monkeypatch, capsys):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(name, value)
    ignore_incomplete_cluster()
    assert os.environ["RANK"] == "1" and capsys.readouterr().err == ""


def test_lightning_is_imported_beside_a_rank_that_is_no_number():
    code = "import dlx.engine, lightning_fabric.utilities.rank_zero as r; print(r.rank_zero_only.rank)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "RANK": "abc"}, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "0", done.stderr
