"""The journal under many writers and kills, and who is still there."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time

import pytest

from dlx.studies.journal import JOURNAL, Journal
from dlx.studies.leases import PATIENCE_SECONDS, WORKERS, Lease, is_alive


def begin_trials(folder, count):
    journal = Journal(folder)
    for _ in range(count):
        with journal.transaction() as trials:
            journal.append("begin", len(trials), params={}, worker="w")


def test_several_writers_never_take_the_same_number(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=begin_trials, args=(tmp_path, 25)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(Journal(tmp_path).read()) == list(range(75))
    assert len((tmp_path / JOURNAL).read_text().splitlines()) == 75


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_that_was_cut_off_is_dropped(tmp_path, cut):
    begin_trials(tmp_path, 2)
    content = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(content[:-cut])
    assert list(Journal(tmp_path).read()) == [0]
    begin_trials(tmp_path, 1)
    assert list(Journal(tmp_path).read()) == [0, 1]
    assert [json.loads(line)["trial"] for line in (tmp_path / JOURNAL).read_text().splitlines()] == [0, 1]


def test_a_worker_is_alive_as_long_as_its_process(tmp_path):
    script = f"""
import sys, time
from pathlib import Path
from dlx.studies.leases import Lease
with Lease(Path({str(tmp_path)!r})) as lease:
    print(lease.name, flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    name = process.stdout.readline().strip()
    assert is_alive(tmp_path, name)
    process.kill()
    process.wait()
    assert not is_alive(tmp_path, name)
    assert (tmp_path / WORKERS / name.replace(":", "_")).exists()  # it could not take its leave


def test_another_process_of_the_same_number_is_another_worker(tmp_path):
    with Lease(tmp_path) as lease:
        host, pid, began, token = lease.name.split(":")
        assert is_alive(tmp_path, lease.name)
        assert not is_alive(tmp_path, f"{host}:{pid}:{int(began) - 1}:{token}")


def test_a_worker_elsewhere_is_alive_as_long_as_it_is_heard(tmp_path):
    name = f"not-{socket.gethostname()}:1:1:abc"
    assert not is_alive(tmp_path, name)
    file = tmp_path / WORKERS / name.replace(":", "_")
    file.parent.mkdir()
    file.touch()
    assert is_alive(tmp_path, name)
    os.utime(file, (time.time() - PATIENCE_SECONDS - 1,) * 2)
    assert not is_alive(tmp_path, name)
