"""The Python API: what the verbs call."""

import subprocess
import sys
from pathlib import Path

import pytest
from kit import quiet

import dlx
from dlx.errors import RecipeError

RECIPE = """
name: api
task: classification
data: {source: {sklearn: iris}}
model: linear
optimizer: {adamw: {lr: 0.01}}
train: {epochs: 9}
hardware: {accelerator: cpu, num_threads: 1}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    (folder / "r.yaml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder / "r.yaml"


def test_importing_dlx_imports_nothing_heavy():
    code = "import sys, dlx; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert not {"torch", "pydantic", "yaml", "numpy", "rich", "mlflow"} & set(result.stdout.split())


def test_plan_is_there_without_being_imported(recipe):
    code = "import dlx, sys; print(dlx.plan.make(dlx.load(sys.argv[1])).quantities['plan/parameters'])"
    result = subprocess.run([sys.executable, "-c", code, recipe], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() == "15", result.stderr


def test_there_is_nothing_else():
    with pytest.raises(AttributeError, match="trian"):
        dlx.trian  # noqa: B018


@pytest.mark.parametrize(
    "overrides", [{"train.epochs": 3, "optimizer.adamw.lr": 1e-05}, ["train.epochs=3", "optimizer.adamw.lr=1e-05"]]
)
def test_overrides_are_a_mapping_or_words(recipe, overrides):
    loaded = dlx.load(recipe, overrides).recipe
    assert loaded.train.epochs == 3
    assert loaded.optimizer["*"].lr == 1e-05


def test_a_wrong_override_has_a_diagnostic(recipe):
    with pytest.raises(RecipeError, match="epochs"):
        dlx.load(recipe, {"train.epochs": "three"})


def test_validate_returns_what_is_wrong(recipe, tmp_path):
    assert dlx.validate(recipe) == []
    (tmp_path / "wrong.yaml").write_text(recipe.read_text().replace("epochs", "epochz"))
    (found,) = dlx.validate(tmp_path / "wrong.yaml")
    assert found.path == "train.epochz"


def test_test_judges_claims(recipe, tmp_path):
    held = tmp_path / "held.yaml"
    held.write_text(f'{recipe.read_text()}expect: {{plan/parameters: "== 15"}}\n')
    rows = dlx.test([held, tmp_path / "absent.yaml"], root=tmp_path / "runs")
    assert [row.verdict for row in rows] == ["held", "error"] and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("verb", ["train", "test", "plan", "eval", "predict"])
def test_a_verb_calls_the_function_of_its_name(verb):
    source = (Path(dlx.__file__).parent / "commands" / f"{verb}.py").read_text()
    assert f"dlx.{'evaluate' if verb == 'eval' else verb}" in source and "dlx.engine" not in source


def test_train_evaluate_predict(recipe, tmp_path):
    run = dlx.train(recipe, {"train.epochs": 3}, root=tmp_path / "runs", console=quiet())
    assert run.folder.parent == tmp_path / "runs"
    assert run.metrics["test/accuracy"] == dlx.evaluate(run.folder).metrics["test/accuracy"]
    names = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)"
    (tmp_path / "new.csv").write_text(f"{names}\n5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n")
    assert len(dlx.predict(run.folder, tmp_path / "new.csv")) == 2
    assert (run.folder / "resolved.yaml").read_text().count("epochs: 3") == 1
