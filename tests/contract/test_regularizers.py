import pytest
import torch
from kit import example
from probe import Probe, SaveAfter, batches, fit, flat, regularizer, trainer

from dlx.component import leaf_class, types
from dlx.regularizers import Regularizer

every_regularizer = pytest.mark.parametrize("name", types("regularizers"))
EXAMPLES = [example("regularizers", name) for name in types("regularizers")]


@every_regularizer
def test_example_validates_and_round_trips(name):
    spec = regularizer(example("regularizers", name))
    assert spec.type == name
    assert regularizer(spec.model_dump(mode="json", serialize_as_any=True)) == spec


@every_regularizer
def test_acts_somewhere(name):
    """A regularizer overrides at least one of the points where it could act."""
    points = ("rewrite_layers", "rewrite_loss", "rewrite_optimizer", "penalty", "callback")
    assert any(getattr(leaf_class("regularizers", name), p) is not getattr(Regularizer, p) for p in points)


@pytest.mark.parametrize("value", [*EXAMPLES, {"swa": 0.2}], ids=str)
def test_its_callback_trains_the_same_after_a_resume(value, tmp_path):
    spec = regularizer(value)
    if spec.callback() is None:
        return
    losses = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    whole = fit([spec], 6, Probe(losses=losses), validate=True)
    save = SaveAfter(3, tmp_path / "half.ckpt")
    made = trainer([spec.callback(), save], 6, enable_checkpointing=True)
    made.fit(Probe(losses=losses), batches(), batches())
    resumed = fit([spec], 6, Probe(losses=losses), validate=True, checkpoint=tmp_path / "half.ckpt")
    assert torch.equal(flat(whole.net), flat(resumed.net))
    assert all(torch.equal(a, b) for a, b in zip(whole.evaluated[12:], resumed.evaluated, strict=True))
