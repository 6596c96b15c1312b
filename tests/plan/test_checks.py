"""What no single section of a recipe can know to be wrong is found before anything runs, at its line."""

import dlx.plan
from dlx.errors import RecipeError
from dlx.recipe.load import load

BASE = """\
task: {type: classification, loss: LOSS}
data:
  source: {sklearn: digits}
  augment: AUGMENT
model: {mlp: [8]}
optimizer: OPTIMIZER
train: {gradient_accumulation: ACCUMULATE, batch_size: 64}
"""


def refusals(folder, loss="cross_entropy", augment="[]", optimizer="adamw", accumulate="1"):
    text = BASE.replace("LOSS", loss).replace("AUGMENT", augment).replace("OPTIMIZER", optimizer)
    (folder / "r.yaml").write_text(text.replace("ACCUMULATE", accumulate))
    try:
        dlx.plan.make(load(folder / "r.yaml"))
    except RecipeError as error:
        return [(d.line, d.message) for d in error.diagnostics]
    return []


def test_a_loss_that_takes_no_mixtures_refuses_mixup(tmp_path):
    ((line, message),) = refusals(tmp_path, loss="hinge", augment="[mixup]")
    assert line == 4
    assert "mixtures of targets" in message
    assert refusals(tmp_path, augment="[mixup]") == []
