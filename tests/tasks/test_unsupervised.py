"""Tasks without labels: they go on exactly, noise is of a sample, and codes lie on arcs."""

import math

import pytest
import torch
from kit import Cut, Stopper, cut, quiet
from torch.nn import functional as F
from unlabeled_inputs import make_small_plan

from dlx.engine.build.experiment import build
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.engine.training.fit import FaultTolerantFit
from dlx.engine.training.signals import SignalHandler
from dlx.engine.training.trainer import silence_lightning
from dlx.tasks._generative.latent import slerp
from dlx.tasks._unsupervised.module import FixedNoise, value_range
from dlx.tensors import Stats, TensorSpec

RESUMED = {
    "denoising": ({"type": "autoencoder", "noise": "masking", "noise_level": 0.3}, {}),
    "anomaly": ({"type": "anomaly", "labeled": True}, {"split": {"holdout_classes": ["0"]}}),
    "vae": ({"type": "vae", "latent_dim": 3, "kl_annealing": 5}, {}),
    "gan": ({"type": "gan", "critic_steps": 2, "latent_dim": 4}, {}),
    "wgan": ({"type": "wgan", "critic_steps": 3, "latent_dim": 4}, {}),
}


def trained(plan, folder, *callbacks):
    with silence_lightning(), SignalHandler() as signals:
        FaultTolerantFit(folder, quiet(), None, {}, signals, lambda *_: None, callbacks=callbacks)(build(plan))
    return load_checkpoint(list_checkpoints(folder)[0])


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_that_was_cut_off_ends_as_one_that_never_was(name, tmp_path):
    task, split = RESUMED[name]
    spectral = {"layers": ["flatten", {"spectral_norm": {"layer": {"linear": 8}}}, "batch_norm", "tanh"]}
    changes = {
        "model": spectral,
        "train": {
            "epochs": 3,
            "batch_size": 32,
            "limit_train_samples": 100,
            "limit_val_samples": 40,
            "checkpoint_every_n_seconds": 1e-9,
        },
        "schedule": {"cosine": {}},
    }
    plan = make_small_plan(task, tmp_path, {"source": {"sklearn": "digits"}, **split}, **changes)
    whole = trained(plan, tmp_path / "whole")
    with pytest.raises(Cut):
        trained(plan, tmp_path / "cut", Stopper(6, cut))
    again = trained(plan, tmp_path / "cut")
    assert whole["global_step"] == again["global_step"] == 12
    assert whole["state_dict"].keys() == again["state_dict"].keys()
    assert all(torch.equal(value, again["state_dict"][key]) for key, value in whole["state_dict"].items())
    assert torch.equal(whole["loss_curve"]["last"], again["loss_curve"]["last"])
    states = [
        [s for o in c["optimizer_states"] for p in o["state"].values() for s in p.values()] for c in (whole, again)
    ]
    assert len(states[0]) >= 12 and all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_noise_of_a_sample_does_not_depend_on_its_batch():
    noise = FixedNoise()
    assert torch.equal(noise(torch.arange(50), (3,))[20:30], FixedNoise()(torch.arange(20, 30), (3,)))
    assert noise(torch.arange(4096), (3,)).std().item() == pytest.approx(1, abs=0.02)
    assert math.isclose(noise(torch.arange(4096), (3,)).mean().item(), 0, abs_tol=0.02)


# -- samples -----------------------------------------------------------------------------------------------------------


def test_an_arc_keeps_its_distance_from_the_middle_and_ends_where_it_should():
    one, other = (F.normalize(torch.randn(4, 6), dim=1) * 2 for _ in range(2))
    way = slerp(one, other, 7)
    assert torch.allclose(way[:, 0], one, atol=1e-5) and torch.allclose(way[:, -1], other, atol=1e-5)
    assert torch.allclose(way.norm(dim=2), torch.full((4, 7), 2.0), atol=1e-4)
    step = torch.cosine_similarity(way[:, 1:], way[:, :-1], dim=2)
    assert torch.allclose(step, step[:, :1].expand_as(step), atol=1e-4)
    assert torch.allclose(slerp(one, 3 * one, 3)[:, 1], 2 * one, atol=1e-5)


def test_a_field_has_the_range_of_its_data_or_that_from_minus_one_to_one():
    assert value_range(TensorSpec((2,), "F")) == (-1.0, 1.0)
    assert value_range(TensorSpec((2,), "F", stats=Stats(low=(3.0, -4.0), high=(5.0, 9.0)))) == (-4.0, 9.0)
