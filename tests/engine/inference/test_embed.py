"""What `dlx embed` gives: the code, the mean, the features, or what the last layer with weights receives."""

import numpy as np
import pandas as pd
import pytest
import torch

from dlx.commands.embed import command
from dlx.engine.build.experiment import build_module
from dlx.engine.inference.embed import embed_files
from dlx.engine.inference.restore import RestoredRun
from dlx.errors import UsageError
from dlx.nn.features import penultimate_features
from dlx.plan import make
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe


def restored(task, folder, source=None, model=None):
    recipe = {
        "task": task,
        "data": {"source": source or {"sklearn": "digits"}},
        "model": model or {"mlp": [6]},
        "hardware": {"accelerator": "cpu", "num_threads": 1},
    }
    plan = make(LoadedRecipe(Recipe.model_validate(recipe), folder))
    return RestoredRun(plan, build_module(plan).eval(), folder / "best.ckpt", [])


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 17, (300, 1, 8, 8)).astype(np.uint8))
    return path


@pytest.mark.parametrize(
    ("task", "width"),
    [
        ("classification", 6),
        ({"type": "autoencoder", "latent_dim": 4}, 4),
        ({"type": "vae", "latent_dim": 5}, 5),
        ({"type": "simclr", "projection_dim": 9}, 6),
        ("rotation", 6),
        ("gan", 6),
    ],
)
def test_every_kind_of_run_has_vectors(task, width, images, tmp_path):
    found = embed_files(restored(task, tmp_path), [images])
    assert found.values.shape == (300, width)
    assert np.isfinite(found.values).all() and found.values.std(0).max() > 0
    assert found.origin == {"row": list(range(1, 301))}


def test_a_classifier_gives_what_its_last_layer_receives(images, tmp_path):
    run = restored("classification", tmp_path)
    found = embed_files(run, [images])
    head = run.module.networks["network"].get_submodule("head")
    stats = run.plan.facts.fields["image"].stats
    x = (torch.from_numpy(np.load(images)).float() - stats.mean[0]) / stats.std[0]
    with torch.no_grad():
        assert torch.allclose(head(torch.from_numpy(found.values)), run.module(x), atol=1e-5)


def test_maps_and_sequences_become_vectors_and_padding_does_not_count():
    conv = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), torch.nn.Conv2d(3, 2, 1))
    x = torch.randn(4, 1, 5, 5)
    assert torch.allclose(penultimate_features(conv, lambda: conv(x)), conv[0](x).mean((2, 3)), atol=1e-6)
    last = torch.nn.Sequential(torch.nn.Linear(2, 2))
    steps = torch.randn(2, 3, 2)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    found = penultimate_features(last, lambda: last(steps), mask)
    assert torch.allclose(found, torch.stack([steps[0, :2].mean(0), steps[1].mean(0)]))


def test_they_are_written_as_tables_and_arrays(images, tmp_path):
    found = embed_files(restored({"type": "vae", "latent_dim": 3}, tmp_path), [images])
    for name in ("z.parquet", "z.csv", "z.npz"):
        found.write(tmp_path / name)
    for frame in (pd.read_parquet(tmp_path / "z.parquet"), pd.read_csv(tmp_path / "z.csv")):
        assert list(frame.columns) == ["row", "z1", "z2", "z3"]
        assert np.allclose(frame[["z1", "z2", "z3"]], found.values)
    loaded = np.load(tmp_path / "z.npz")
    assert np.array_equal(loaded["z"], found.values) and loaded["row"][-1] == 300
    with pytest.raises(UsageError, match="are written as"):
        found.write(tmp_path / "z.txt")


def test_a_file_that_cannot_be_is_refused_before_the_run_is_looked_for(images, tmp_path):
    with pytest.raises(UsageError, match="are written as"):
        command("no-such-run", [images], tmp_path / "z.txt")


def test_a_denoiser_has_none(images, tmp_path):
    with pytest.raises(UsageError, match="diffusion has no embedding"):
        embed_files(
            restored("diffusion", tmp_path, model={"denoiser_unet": {"channels": [8], "num_heads": 0}}), [images]
        )
