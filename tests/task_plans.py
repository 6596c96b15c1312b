"""Plans of tasks on small data: what sweeps over all tasks train."""

import math
import string

from kit import make_plan

from dlx.component import leaf_class
from dlx.errors import DataError, RecipeError

MLP = {"mlp": {"hidden": [32]}}
CONVS = {"type": "layers", "layers": [{"conv": {"channels": 8, "kernel": 3, "padding": "same"}}, "relu"] * 3}
PATCHES = {
    "encoder": {"vit": {"patch_size": 4, "features": 16, "num_layers": 1, "num_heads": 2, "output": "steps"}},
    "decoder": {"type": "layers", "layers": [{"attention": {"num_heads": 2}}]},
}
STEPS = {"gru": {"embedding_dim": 16, "hidden": 32, "output": "steps"}}
SMALL = [
    ({"sklearn": "iris"}, MLP),
    ({"sklearn": "diabetes"}, MLP),
    ({"sklearn": "digits"}, MLP),
    ({"sklearn": "digits"}, CONVS),
    ({"sklearn": "digits"}, PATCHES),
    ({"series": {"path": "series.csv", "target": "y", "history": 8, "horizon": 2}}, MLP),
    ({"shapes": {"n_samples": 60, "image_size": 16, "noise": 5}}, CONVS),
    (
        {"source": {"sklearn": "digits"}, "transforms": [{"scale": 0.0625}]},
        {"type": "layers", "layers": ["flatten", {"rbm": 16}]},
    ),
    ({"text": {"path": "text.txt", "block_size": 8}}, STEPS),
    ({"tagged_text": "tagged.txt"}, STEPS),
    (
        {"reverse": {"n_samples": 60, "max_length": 6}},
        {"seq2seq": {"embedding_dim": 8, "encoder": {"gru": 16}, "cell": {"gru": 32}, "attention": "luong"}},
    ),
]
"""Small data and networks; a task is tried on the first that suit it."""
FIRST_IMAGES = 2  # the noise of views leaves nothing of four measures of a flower


def planned(task, folder, **changes):
    values = [f"{math.sin(i):.3f}" for i in range(120)]
    (folder / "series.csv").write_text("\n".join(["y", *values]) + "\n")
    (folder / "text.txt").write_text(40 * string.ascii_lowercase)
    sentences = [" ".join(string.ascii_lowercase[i % 7 : i % 7 + 2 + i % 5]) for i in range(80)]
    (folder / "tagged.txt").write_text("\n".join(_tagged(s.split()) for s in sentences))
    has_views = "views" in leaf_class("tasks", task if isinstance(task, str) else task["type"]).model_fields
    for source, model in SMALL[FIRST_IMAGES:] if has_views else SMALL:
        try:
            return planned_on(source, model, task, folder, **changes)
        except (DataError, RecipeError) as error:
            refused = error
    raise refused


def _tagged(words):
    return "".join(f"{word} {'vowel' if word in 'aeiou' else 'consonant'}\n" for word in words)


def planned_on(source, model, task, folder, **changes):
    recipe = {
        "task": task,
        "data": source if "source" in source else {"source": source},
        "model": model,
        "optimizer": {"adam": {"lr": 0.01}},
        "train": {"epochs": 1},
        "hardware": {"accelerator": "cpu", "num_threads": 1},
    }
    return make_plan({**recipe, **changes}, folder=folder)
