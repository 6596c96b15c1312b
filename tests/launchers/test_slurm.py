"""A real SLURM on this machine: its own munge, controller and node, from Debian's slurm-wlm."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol", "scancel")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
RECIPE = """
name: job
task: classification
data: {source: {sklearn: {dataset: digits}}}
model: {mlp: {hidden: [32]}}
train: {epochs: 300, batch_size: 64, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no SLURM here: {', '.join(MISSING)} not found"),
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd runs as root"),
]


def _configuration(folder, controller_port, node_port):
    host = socket.gethostname().partition(".")[0]
    return f"""
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(what, question, seconds=240):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = question()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what} did not come")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Start a cluster of one node; yields what runs one of its commands."""
    folder = tmp_path / "slurm"
    for part in ("state", "spool", "munge"):
        (folder / part).mkdir(parents=True)
    folder.chmod(0o755)
    key, conf = folder / "munge/key", folder / "slurm.conf"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    conf.write_text(_configuration(folder, _free_port(), _free_port()))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}"]
    munged += [f"--log-file={folder}/munge/log", f"--pid-file={folder}/munge/pid", f"--seed-file={folder}/munge/seed"]
    commands = [munged, ["slurmctld", "-D", "-f", str(conf)], ["slurmd", "-D", "-f", str(conf)]]
    daemons = []
    for command in commands:
        log = (folder / f"{command[0]}.log").open("wb")
        daemons.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        if command is munged:
            _wait_for("munge", (folder / "munge.socket").exists)

    def ask(*words):
        return subprocess.run(words, capture_output=True, text=True, cwd=tmp_path).stdout

    _wait_for("the node", lambda: "State=IDLE" in ask("scontrol", "show", "node"))
    yield ask
    for daemon in reversed(daemons):
        daemon.send_signal(signal.SIGTERM)
    for daemon in daemons:
        daemon.wait(30)


def _train(recipe, folder):
    """Train without interruption; returns the metrics."""
    done = subprocess.run(["dlx", "train", recipe, "--json"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["metrics"]


def test_a_job_that_is_requeued_goes_on_with_its_run(slurm, tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(RECIPE)
    done = subprocess.run(
        ["dlx", "launch", "r.yaml", "--on", "slurm", "--with", "cpus=1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    number = done.stdout.split()[-1]  # Submitted batch job 1
    log = tmp_path / f"job-{number}.log"

    def trains():
        return any(Path(f).exists() for f in tmp_path.glob("runs/job-*/run.json"))

    _wait_for("the run", trains)
    slurm("scancel", "--signal=TERM", "--batch", number)  # as SLURM does before the end of the time limit
    _wait_for("the checkpoint", lambda: "stopped: saved" in log.read_text())
    _wait_for("the next try", lambda: "Restarts=1" in slurm("scontrol", "show", "job", number))
    assert "Requeue=1" in slurm("scontrol", "show", "job", number)
    _wait_for("the queue", lambda: "JobState=PENDING" in slurm("scontrol", "show", "job", number))
    slurm("scontrol", "update", f"jobid={number}", "starttime=now")  # SLURM lets a job wait two minutes before that
    _wait_for("the end", lambda: "JobState=COMPLETED" in slurm("scontrol", "show", "job", number))

    (run,) = tmp_path.glob("runs/job-*")
    said = json.loads((run / "run.json").read_text())
    assert said["status"] == "FINISHED"
    assert said["metrics"] == _train("r.yaml", tmp_path)
