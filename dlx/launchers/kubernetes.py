from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

import yaml
from pydantic import Field

from dlx.launchers import Job, Launcher

NAME = r"^[a-z0-9][a-z0-9\-]*$"
LONGEST_NAME = 50
"""Characters: the pods' names, which are longer, have 63 at most."""


class Kubernetes(Launcher):
    """A TrainJob for Kubernetes with Kubeflow Trainer (2.2 or newer), in the runtime `torch-distributed`.

    The image holds dlx and the recipe; runs are kept on a volume, from which a pod that is started again goes on.

    Source:  https://www.kubeflow.org/docs/components/trainer/

    Example:
        {type: kubernetes, image: "example.org/dlx:1", volume_claim: runs}
    """

    type: Literal["kubernetes"] = "kubernetes"
    client: ClassVar[str] = "kubectl"
    suffix: ClassVar[str] = ".k8s.yaml"

    image: str = Field(pattern=r"^[\w.\-/:@]+$")
    """Image of the container."""
    namespace: str = Field("default", pattern=NAME)
    """Where the job lives."""
    runtime: str = Field("torch-distributed", pattern=NAME)
    """The cluster's training runtime."""
    cpus: int = Field(4, ge=1)
    """CPU cores of each node."""
    memory: str = Field("16Gi", pattern=r"^\d+([KMGT]i?)?$")
    """Memory of each node."""
    volume_claim: str = Field("dlx-runs", pattern=NAME)
    """PersistentVolumeClaim on which runs are kept."""
    workdir: str = Field("/workspace", pattern=r"^/[\w./\-]*$")
    """Folder of the image with the recipe; the volume is mounted as `runs` in it."""

    def text(self, job: Job) -> str:
        resources = {"cpu": str(self.cpus), "memory": self.memory}
        if job.has_gpus:
            resources["nvidia.com/gpu"] = str(job.devices)
        trainer = {
            "image": self.image,
            "command": ["sh", "-c", f"cd {self.workdir} && exec {self._command(job)}"],
            "numNodes": job.nodes,
            "numProcPerNode": job.devices,
            "resourcesPerNode": {"requests": resources, "limits": resources},
            "env": [{"name": "DLX_JOB", "value": f"kubernetes-{job.name}"}],
        }
        spec = {"runtimeRef": {"name": self.runtime}, "trainer": trainer, "runtimePatches": [self._volume_patch()]}
        described = {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": _object_name(job.name), "namespace": self.namespace},
            "spec": spec,
        }
        return str(yaml.dump_all([described], Dumper=_Plain, sort_keys=False, allow_unicode=True, width=200))

    def _command(self, job: Job) -> str:
        """Return the command of each pod; the runtime sets the addresses as PET_… variables, which torchrun reads."""
        return job.command if job.nodes == 1 else job.torchrun()

    def _volume_patch(self) -> dict[str, Any]:
        """Return what mounts the volume in the runtime's pods, which it calls `node`."""
        mount = {"name": "runs", "mountPath": f"{self.workdir.rstrip('/')}/runs"}
        pod = {
            "volumes": [{"name": "runs", "persistentVolumeClaim": {"claimName": self.volume_claim}}],
            "containers": [{"name": "node", "volumeMounts": [mount]}],
        }
        job = {"name": "node", "template": {"spec": {"template": {"spec": pod}}}}
        return {"manager": "dlx.io/launch", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [job]}}}}

    def submit(self, file: str) -> list[str]:
        return [self.client, "apply", "-f", file]


class _Plain(yaml.SafeDumper):
    """Writes what stands in two places twice, not as an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _object_name(name: str) -> str:
    """Return a name that Kubernetes takes: lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_NAME].rstrip("-")
