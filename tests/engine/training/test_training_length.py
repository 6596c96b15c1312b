"""How long training is: epochs or steps, in portions that add up; and a run by steps is evaluated again."""

import json
import subprocess
import sys

import pytest

import dlx.plan
from dlx.errors import RecipeError
from dlx.recipe.load import load

RECIPE = "task: classification\ndata: {source: {sklearn: digits}}\nmodel: {mlp: [8]}\n"


def plan(folder, train):
    (folder / "r.yaml").write_text(f"{RECIPE}train: {train}\n")
    return dlx.plan.make(load(folder / "r.yaml"))


def test_steps_take_the_place_of_epochs(tmp_path):
    assert plan(tmp_path, "{steps: 7}").length.steps == 7
    assert plan(tmp_path, "{epochs: 2, batch_size: 100}").length.steps == 2 * 15  # 1,455 samples


@pytest.mark.parametrize(
    "train", ["{steps: 7, epochs: 2}", "{batch_size: 9, gradient_accumulation: 2}", "{epochs: null}"]
)
def test_what_does_not_add_up_is_refused_at_its_line(tmp_path, train):
    with pytest.raises(RecipeError) as refused:
        plan(tmp_path, train)
    assert [d.line for d in refused.value.diagnostics] == [4]


def test_a_run_by_steps_takes_them_and_is_evaluated_again(tmp_path):
    (tmp_path / "r.yaml").write_text(f"{RECIPE}train: {{steps: 7}}\n")

    def dlx_command(*words):
        command = [sys.executable, "-m", "dlx", *words, "--json"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    run = dlx_command("train", "r.yaml")
    again = dlx_command("eval", run["folder"])
    assert again["metrics"]["test/loss"] == run["metrics"]["test/loss"]
