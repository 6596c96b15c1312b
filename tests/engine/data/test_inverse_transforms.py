"""Samples come back in the units of the data, as far as transforms can be undone."""

import numpy as np
import pytest
import torch
from kit import make_plan

from dlx.engine.data.batches import build_transforms
from dlx.engine.data.inverse_transforms import inverse_transforms


def planned(folder, transforms, source="digits"):
    recipe = {
        "task": "vae",
        "data": {"source": {"sklearn": source}, "transforms": transforms},
        "model": {"mlp": [8]},
        "hardware": {"accelerator": "cpu", "num_threads": 1},
    }
    return make_plan(recipe, folder=folder)


@pytest.mark.parametrize(
    "transforms",
    [[], ["normalize"], [{"normalize": {"method": "min_max"}}, {"scale": {"factor": 2.0, "shift": -1.0}}, "flatten"]],
)
def test_what_a_network_sees_comes_back_as_it_was(transforms, tmp_path):
    plan = planned(tmp_path, transforms)
    original = torch.randint(0, 17, (5, 1, 8, 8), dtype=torch.uint8)
    batch = {"image": original.float()}
    for step in build_transforms(plan.recipe.data.transforms, plan.facts):
        batch = step(batch)
    units = inverse_transforms(plan)
    assert units.not_invertible is None and units.spec == plan.facts.fields["image"]
    assert torch.allclose(units(batch["image"]), original.float(), atol=1e-4)
    assert torch.equal(units.to_storage(batch["image"]).float(), original.float())


def test_what_cannot_be_undone_is_named_and_what_follows_it_is_undone(tmp_path):
    plan = planned(tmp_path, [{"binarize": 8.0}, {"scale": {"factor": 2.0, "shift": -1.0}}])
    units = inverse_transforms(plan)
    assert units.not_invertible == "binarize"
    assert units(torch.tensor([[[[-1.0, 1.0]]]])).flatten().tolist() == [0.0, 1.0]
    assert units.spec.stats.high == (1.0,)


def test_bytes_stay_bytes(tmp_path):
    stored = inverse_transforms(planned(tmp_path, ["normalize"])).to_storage(torch.full((1, 1, 8, 8), 1e6))
    assert stored.dtype == torch.uint8 and np.unique(stored.numpy()).tolist() == [255]
