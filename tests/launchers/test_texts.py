"""The texts of jobs: they parse, hold to the schema of their tool, and one of them is run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dlx.component import leaf_class, types
from dlx.launchers import Job

NEEDED = {"kubernetes": {"image": "example.org/dlx:1"}}
ONE = Job("digits", "r.yaml", ["train.epochs=3", "data.target=a b"])
TWO_NODES = Job("digits", "r.yaml", nodes=2, devices=4, accelerator="gpu")
RECIPE = """
name: job
task: classification
data: {source: {sklearn: {dataset: digits}}}
model: {mlp: {hidden: [32]}}
train: {epochs: 2, batch_size: 64, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""


def _launcher(name, **options):
    return leaf_class("launchers", name).model_validate({"type": name, **NEEDED.get(name, {}), **options})


def _scripts(name, text):
    """Return the shell texts of a job."""
    if name == "skypilot":
        return [yaml.safe_load(text)[part] for part in ("setup", "run")]
    if name == "kubernetes":
        return [yaml.safe_load(text)["spec"]["trainer"]["command"][-1]]
    return [text]


@pytest.mark.parametrize("job", [ONE, TWO_NODES], ids=["one", "two nodes"])
@pytest.mark.parametrize("name", types("launchers"))
def test_every_script_is_one_for_bash_and_trains_so_that_it_resumes(name, job):
    scripts = _scripts(name, _launcher(name).text(job))
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
    assert "train r.yaml" in scripts[-1] and "--resume auto" in scripts[-1]
    assert ("torchrun --nnodes 2 --nproc_per_node 4" in scripts[-1]) == (job is TWO_NODES or name == "torchrun") or (
        name == "torchrun" and "torchrun --nnodes 1 --nproc_per_node 1" in scripts[-1]
    )


@pytest.mark.parametrize("name", types("launchers"))
def test_the_job_has_one_name_in_all_of_its_tries(name):
    assert "DLX_JOB" in _launcher(name).text(ONE)


def test_words_are_quoted_for_the_shell():
    assert "'data.target=a b'" in _launcher("slurm").text(ONE)


def test_slurm_asks_for_what_the_options_say():
    text = _launcher("slurm", time="1-12:00:00", partition="gpu", account="lab", cpus=8, memory="64G", grace=60).text(
        TWO_NODES
    )
    lines = {line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")}
    assert lines >= {
        "nodes=2", "gpus-per-node=4", "cpus-per-task=32", "mem=64G", "time=1-12:00:00", "partition=gpu",
        "account=lab", "signal=B:TERM@60", "requeue", "ntasks-per-node=1",
    }  # fmt: skip
    assert "gpus" not in _launcher("slurm").text(Job("a", "r.yaml", accelerator="cpu"))


def test_skypilot_task_holds_to_the_published_schema():
    task = yaml.safe_load(_launcher("skypilot", accelerators="A100:4", bucket="my-runs", spot=False).text(TWO_NODES))
    assert task["num_nodes"] == 2
    assert task["resources"] == {"accelerators": "A100:4", "cpus": "4+", "use_spot": False}
    assert task["file_mounts"] == {"/dlx-runs": {"name": "my-runs", "mode": "MOUNT"}}
    schemas = pytest.importorskip("sky.utils.schemas", reason="SkyPilot is not installed")
    import jsonschema

    jsonschema.validate(task, schemas.get_task_schema())
    jsonschema.validate(task["resources"], schemas.get_resources_schema())
    jsonschema.validate(task["file_mounts"]["/dlx-runs"], schemas.get_storage_schema())


def test_train_job_holds_to_the_published_schema():
    text = _launcher("kubernetes", memory="32Gi", cpus=8, namespace="lab", volume_claim="mine").text(TWO_NODES)
    described = yaml.safe_load(text)
    trainer = described["spec"]["trainer"]
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (2, 4)
    assert trainer["resourcesPerNode"]["limits"] == {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "4"}
    assert described["metadata"] == {"name": "digits", "namespace": "lab"}
    assert "claimName: mine" in text and "mountPath: /workspace/runs" in text and "&id" not in text
    models = pytest.importorskip("kubeflow_trainer_api.models", reason="Kubeflow's models are not installed")
    again = models.TrainerV1alpha1TrainJob.from_dict(described).to_dict()
    assert again == described  # what the schema does not have would be left out


def test_kubernetes_names_are_in_lower_case():
    name = yaml.safe_load(_launcher("kubernetes").text(Job("My_Net v2", "r.yaml")))["metadata"]["name"]
    assert name == "my-net-v2"


def _dlx(*words, cwd, **env):
    return subprocess.run(
        [sys.executable, "-m", "dlx", *words], cwd=cwd, capture_output=True, text=True, env={**os.environ, **env}
    )


def test_print_submits_nothing_and_a_missing_client_is_said(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)
    done = _dlx("launch", "r.yaml", "--on", "skypilot", "--print", cwd=tmp_path)
    assert yaml.safe_load(done.stdout)["name"] == "job"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.yaml"]
    refused = _dlx("launch", "r.yaml", "--on", "skypilot", cwd=tmp_path)
    assert refused.returncode == 2 and "sky is not here" in refused.stderr
    wrong = _dlx("launch", "r.yaml", "--on", "slurm", "--with", "partitoin=gpu", cwd=tmp_path)
    assert wrong.returncode == 2 and "partition" in wrong.stderr


@pytest.mark.slow
def test_torchrun_script_trains_two_processes_and_a_second_try_goes_on(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(RECIPE)
    done = _dlx("launch", "r.yaml", "hardware.devices=2", "--on", "torchrun", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = Path(tmp_path / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["status"] == "FINISHED"
    again = subprocess.run(["bash", "job.sh"], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "is finished: nothing is left to train" in again.stderr
    assert [run] == list(Path(tmp_path / "runs").iterdir())
