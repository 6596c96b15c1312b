"""What a run makes of noise: the same for the same seed, and of the class that is asked for."""

import numpy as np
import pytest
import torch

from dlx.engine.build.experiment import build_module
from dlx.engine.inference.restore import RestoredRun
from dlx.engine.inference.sample import draw_samples
from dlx.errors import UsageError
from dlx.plan import make
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe

TOLD = {"layers": [{"branches": {"of": ["flatten", {"label_embedding": 4}]}}, {"linear": 8}, "relu"]}


def restored(task, folder, source="digits", model=None):
    recipe = {
        "task": task,
        "data": {"source": {"sklearn": source} if source == "digits" else source},
        "model": model or {"mlp": [8]},
        "hardware": {"accelerator": "cpu", "num_threads": 1},
    }
    plan = make(LoadedRecipe(Recipe.model_validate(recipe), folder))
    return RestoredRun(plan, build_module(plan).eval(), folder / "best.ckpt", [])


def test_the_same_seed_makes_the_same_samples(tmp_path):
    run = restored("vae", tmp_path)
    first, again, other = (draw_samples(run, 5, seed).values for seed in (3, 3, 4))
    assert first.shape == (5, 1, 8, 8)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_classes_are_asked_for_by_name(tmp_path):
    run = restored({"type": "gan", "conditional": True}, tmp_path, model=TOLD)
    in_turn = draw_samples(run, 10, 0).values
    assert np.allclose(in_turn[7], draw_samples(run, 10, 0, label="7").values[7], atol=1e-6)
    assert not np.allclose(in_turn[7], draw_samples(run, 10, 0, label="6").values[7], atol=1e-6)
    with pytest.raises(UsageError, match="the classes are 0, 1"):
        draw_samples(run, 10, 0, label="seven")
    with pytest.raises(UsageError, match="without --steps"):
        draw_samples(run, 10, 0, steps=3)
    with pytest.raises(UsageError, match="autoencoder makes no samples"):
        draw_samples(restored("autoencoder", tmp_path), 10, 0)


def test_samples_are_written_as_arrays_and_pictures(tmp_path):
    made = draw_samples(restored("gan", tmp_path), 6, 0)
    made.write(tmp_path / "a.npz")
    assert np.array_equal(np.load(tmp_path / "a.npz")["image"], made.values)
    made.write(tmp_path / "sheet.png")
    points = draw_samples(restored("gan", tmp_path, {"gaussians": {"n_samples": 100}}), 6, 0)
    points.write(tmp_path / "points.png")
    assert all((tmp_path / name).read_bytes()[:4] == b"\x89PNG" for name in ("sheet.png", "points.png"))
    with pytest.raises(UsageError, match="are written as"):
        made.write(tmp_path / "a.txt")
    table = draw_samples(restored("vae", tmp_path, {"sklearn": "iris"}), 6, 0)
    with pytest.raises(UsageError, match=r"write \.npz"):
        table.write(tmp_path / "table.png")
    assert torch.from_numpy(table.values).isfinite().all()
