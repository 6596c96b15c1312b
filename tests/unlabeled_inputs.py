"""Small plans of tasks without labels, for tests."""

from kit import make_plan

UNIT = {"source": {"sklearn": "digits"}, "transforms": [{"scale": 0.0625}]}


def make_small_plan(task, folder, data=None, **changes):
    """Return the plan of a few steps with a small network: of a ring of Gaussians, or of other data."""
    recipe = {
        "task": task,
        "data": data or {"source": {"gaussians": {"n_samples": 300}}},
        "model": {"layers": ["flatten", {"linear": 8}, "tanh"]},
        "optimizer": {"adam": {"lr": 0.01}},
        "train": {"steps": 4, "batch_size": 32},
        "hardware": {"accelerator": "cpu", "num_threads": 1},
    }
    return make_plan({**recipe, **changes}, folder=folder)


def first_batch(batches, split="train"):
    return next(iter(batches[split]))
