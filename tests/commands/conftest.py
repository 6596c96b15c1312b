"""Running the command line in a process of its own, where heavy packages cannot be imported."""

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "pytorch_lightning", "lightning", "mlflow", "torchmetrics", "kornia", "matplotlib")
DATA = ("numpy", "pandas", "sklearn", "scipy", "pyarrow", "PIL")
RUN = '''
import sys
from importlib.machinery import PathFinder

class Absent:
    """Finds heavy packages, as `importlib.util.find_spec` may ask, but does not let them be imported."""

    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path) if name in {names!r} else None
        if spec is not None:
            spec.loader = self
        return spec

    def create_module(self, spec):
        raise ImportError(f"{{spec.name}} must not be imported here")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Absent())
sys.argv[0] = "dlx"
from dlx.cli import main
main()
'''


@pytest.fixture
def dlx():
    """Return a function that runs `dlx` without torch; `light` takes what reads data away too, `heavy` nothing."""

    def run(*words, cwd=None, light=False, heavy=False, **environment):
        names = () if heavy else (*HEAVY, *(DATA if light else ()))
        env = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1", **environment}
        command = [sys.executable, "-c", RUN.format(names=names), *map(str, words)]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)

    return run
