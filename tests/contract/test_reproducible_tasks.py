"""Every task: trained again from what its run stored, all of its layers and losses are the same to the bit."""

import pytest
from kit import example, quiet
from test_tasks import planned

import dlx
from dlx.component import types
from dlx.engine.runs.run import RunRequest, execute
from dlx.engine.training import layer_hashes
from dlx.engine.training.layer_hashes import read_trace
from dlx.recipe.load import LoadedRecipe

FAST = ("gan", "language_modeling", "regression")
"""Tasks in every run of the suite; the others are slow together."""
STEPS = 3
SETTINGS = {
    "train": {"steps": STEPS, "batch_size": 16, "gradient_accumulation": 2, "figures": False},
    "regularize": {"ema": 0.9},
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in types("tasks")]
)
def test_every_task_is_reproduced(name, tmp_path, monkeypatch):
    monkeypatch.setattr(layer_hashes, "SHARE", 1e9)
    plan = planned(example("tasks", name), tmp_path, **SETTINGS)
    loaded = LoadedRecipe(plan.recipe, tmp_path)
    execute(RunRequest(plan, loaded, tmp_path / "run", quiet(), is_tracked=False))
    recorded = read_trace(tmp_path / "run")
    assert len(recorded.losses) == STEPS
    assert set(range(STEPS)) == set(recorded.hashes)
    assert all(recorded.hashes[0])
    (found,) = dlx.reproduce(tmp_path / "run", console=quiet())
    assert found.sentence == "same bits"
