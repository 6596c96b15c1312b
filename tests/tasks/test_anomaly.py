"""Anomalies: nothing is learned of the classes that are one, and their scores rank them."""

import pytest
import torch
from kit import build
from unlabeled_inputs import make_small_plan

from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import RecipeError

HELD_OUT = {"source": {"sklearn": "digits"}, "split": {"holdout_classes": ["3"], "val": 0.2, "test": 0.2}}


def test_nothing_is_learned_from_unseen_classes_and_auroc_ranks_them(tmp_path):
    plan = make_small_plan({"type": "anomaly", "labeled": True, "quantile": 0.8}, tmp_path, HELD_OUT)
    module, batches = build(plan)
    assert all(3 not in batch["target"] for batch in batches["train"])
    assert plan.facts.class_counts[3] == 0 < plan.facts.class_counts[2]
    with silence_lightning():
        build_trainer(plan).fit(module, ChunkLoader(batches["train"], 4), batches["val"])
        (found,) = build_trainer(plan).validate(module, batches["val"], verbose=False)
    whole = [module.predict_step(b, 0)[:, 0] for b in batches["val"]]
    score, anomalous = torch.cat(whole), torch.cat([b["target"] for b in batches["val"]]) == 3
    assert module.threshold.item() == pytest.approx(score[~anomalous].quantile(0.8).item(), rel=1e-5)
    above = score[anomalous][:, None] > score[~anomalous]
    assert found["val/auroc"] == pytest.approx(above.float().mean().item(), abs=1e-4)
    assert found["val/false_positive_rate"] == pytest.approx(0.2, abs=0.01)
    assert found["val/loss"] == pytest.approx(score[~anomalous].mean().item(), rel=1e-4)


def test_classes_that_are_not_there_cannot_be_unseen(tmp_path):
    from dlx.errors import DataError

    with pytest.raises(DataError, match="there is no class eleven"):
        make_small_plan(
            {"type": "anomaly", "labeled": True}, tmp_path, {**HELD_OUT, "split": {"holdout_classes": ["eleven"]}}
        )
    with pytest.raises(RecipeError, match="no class is an anomaly"):
        make_small_plan({"type": "anomaly", "labeled": True}, tmp_path, {"source": {"sklearn": "digits"}})
