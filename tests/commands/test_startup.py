"""Whatever needs no training starts at once: what is heavy is not even imported."""

import ast
import importlib
import pkgutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlx import commands

VERBS = [m.name for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")]
HEAVY = {"torch", "pytorch_lightning", "lightning", "mlflow", "torchmetrics", "kornia", "matplotlib"}
DATA = {"numpy", "pandas", "sklearn", "scipy", "pyarrow"}
PROBE = """
import atexit, sys
atexit.register(lambda: print("LOADED", *{m.partition(".")[0] for m in sys.modules}, file=sys.stderr))
sys.argv[0] = "dlx"
from dlx.cli import main
main()
"""


def loaded(*words):
    """Run `dlx` and return the top-level packages that it had imported at its end."""
    command = [sys.executable, "-c", PROBE, *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout, set(result.stderr.rpartition("LOADED")[2].split())


def test_help_imports_no_pydantic_and_names_every_verb():
    shown, packages = loaded("--help")
    assert not packages & {"pydantic", "yaml", *HEAVY, *DATA}
    for verb in VERBS:
        assert verb in shown
        assert (importlib.import_module(f"dlx.commands.{verb}").__doc__ or "").strip(), verb


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_is_light(verb):
    shown, packages = loaded(verb, "--help")
    assert "--help" in shown
    assert not packages & {*HEAVY, *DATA}


@pytest.mark.parametrize(
    "words",
    [["list"], ["list", "layers"], ["show", "conv"], ["schema"], ["show", "model", "mlp", "hidden=[3]"]],
    ids=str,
)
def test_what_speaks_of_components_reads_no_data(words):
    assert not loaded(*words)[1] & {*HEAVY, *DATA}


def test_what_speaks_of_a_recipe_imports_no_torch(recipes):
    recipe = recipes / "quickstart.yaml"
    assert not loaded("plan", recipe)[1] & HEAVY
    for words in (["validate", recipe], ["show", recipe], ["plan", recipe]):  # the facts are remembered by now
        assert not loaded(*words)[1] & {*HEAVY, *DATA}, words


def test_validate_takes_no_longer_than_a_blink(recipes):
    def seconds():
        start = time.perf_counter()
        loaded("validate", recipes / "quickstart.yaml")
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 2.0  # 0.4 s when nothing else runs


@pytest.mark.parametrize("verb", VERBS)
def test_help_says_what_the_function_says(verb):
    tree = ast.parse((Path(commands.__path__[0]) / f"{verb}.py").read_text())
    function = next(f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "command")
    assert (ast.get_docstring(function) or "").startswith((ast.get_docstring(tree) or "?").partition("\n")[0])


def test_a_mistyped_verb_is_answered_with_the_right_one(dlx):
    result = dlx("trian", light=True)
    assert result.returncode == 2 and "train" in result.stderr and "Traceback" not in result.stderr
