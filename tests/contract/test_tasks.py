"""Every task: its example validates, learns a batch by heart, measures what it promises, and survives a checkpoint."""

import dataclasses
import math

import pytest
import torch
from kit import build, example
from task_plans import planned

from dlx.component import leaf_class, types
from dlx.engine.build.experiment import build_module
from dlx.engine.checkpoint import AtomicCheckpointIO, load_checkpoint
from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.lr_finder import LossRecorder
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import DivergedError
from dlx.tasks import Task

every_task = pytest.mark.parametrize("name", types("tasks"))

HARD_TO_MEMORIZE = {
    *("diffusion", "gan", "wgan", "masked_lm", "rbm", "vae", "byol", "moco", "simclr", "simsiam"),
    *("jigsaw", "masked_image", "relative_patch", "rotation"),
}
"""Tasks whose loss does not come close to 0 by learning a few samples by heart."""
MORE_SAMPLES = {"byol", "gan", "metric_learning", "moco", "rbm", "simclr", "simsiam", "wgan"}
"""Tasks that need more samples than a few, as they compare them or learn their distribution."""
GAMES = {"gan", "wgan"}


@every_task
def test_the_example_validates_and_round_trips(name):
    task = Task.model_validate(example("tasks", name))
    assert task.type == name
    assert Task.model_validate(task.model_dump(mode="json", serialize_as_any=True)) == task


@every_task
def test_roles_and_metrics_are_known_before_torch(name, tmp_path):
    plan = planned(example("tasks", name), tmp_path)
    task = plan.recipe.task
    assert set(task.roles(plan.network_facts)) == set(plan.networks)
    assert task.default_role in plan.networks
    assert set(task.metric_names(plan.network_facts).values()) <= {"higher", "lower"}
    assert task.monitor.removeprefix("val/") in task.metric_names(plan.network_facts)
    assert task.monitor_mode in ("min", "max")


@every_task
@pytest.mark.parametrize("averaged", [False, True])
def test_what_is_kept_besides_networks_is_planned(name, averaged, tmp_path):
    task = example("tasks", name) | (
        {"evaluate": {"untrained_probe": True}} if "evaluate" in leaf_class("tasks", name).model_fields else {}
    )
    plan = planned(task, tmp_path, regularize={"ema": 0.9} if averaged else {})
    whole = build(plan)[0].state_dict()
    networks = sum(value.nbytes for key, value in whole.items() if key.startswith("networks."))
    everything = sum(value.nbytes for value in whole.values())
    kept = everything - networks + (everything if averaged else 0)
    assert plan.memory.copies == pytest.approx(kept, abs=256)


def learn_by_heart(plan, sign=1):
    """Train on a few samples; return the curve, and whether the metric improves that the task names."""
    module, batches = build(plan)
    curve, task = LossRecorder(), plan.recipe.task
    few = 64 if task.type in MORE_SAMPLES else 16
    one = dataclasses.replace(batches["train"], rows=batches["train"].rows[:few], size=few)

    def metric():
        (metrics,) = build_trainer(plan).validate(module, one, verbose=False)
        return metrics[f"val/{task.learning_metric}"]

    take_step = module.take_step

    def take_signed_step(batch, loss_fn, *roles):
        turned = 1 if roles[0] == "discriminator" else sign  # both signs turned are the same game
        return take_step(batch, lambda x: turned * loss_fn(x), *roles)

    module.take_step = take_signed_step
    with silence_lightning():
        before = metric()
        build_trainer(plan, logger=curve).fit(module, ChunkLoader(one, plan.length.steps))
        after = metric()
    if task.type in GAMES:  # samples of a generator that leaves its beginning are nearer to the data, wherever it goes
        return curve, after < 0.25 * before
    higher = task.metric_names(plan.network_facts)[task.learning_metric] == "higher"
    return curve, after > before if higher else after < before


@every_task
def test_a_task_learns_a_batch_by_heart(name, tmp_path):
    plan = planned(example("tasks", name), tmp_path, train={"steps": 300, "log_every_n_steps": 1})
    curve, improves = learn_by_heart(plan)
    assert len(curve.losses) == 300
    assert all(math.isfinite(loss) for loss in curve.losses)
    assert improves
    if name not in HARD_TO_MEMORIZE:
        assert curve.losses[0] > 0
        assert curve.losses[-1] < 0.05 * curve.losses[0]


@every_task
def test_a_loss_of_the_wrong_sign_does_not_improve_what_a_task_names(name, tmp_path):
    steps = 300 if name in GAMES else 60
    plan = planned(example("tasks", name), tmp_path, train={"steps": steps, "log_every_n_steps": 1})
    try:
        _, improves = learn_by_heart(plan, sign=-1)
    except DivergedError:
        return
    assert not improves


@every_task
@pytest.mark.parametrize("own_metrics", [True, False])
def test_a_task_measures_exactly_what_it_promises(name, own_metrics, tmp_path):
    plan = planned(example("tasks", name) if own_metrics else name, tmp_path)
    module, batches = build(plan)
    trainer = build_trainer(plan)
    promised = set(plan.recipe.task.metric_names(plan.network_facts))
    with silence_lightning():
        for split, measure in (("val", trainer.validate), ("test", trainer.test)):
            (metrics,) = measure(module, batches[split], verbose=False)
            assert set(metrics) == {f"{split}/{metric}" for metric in promised}
            assert all(math.isfinite(v) for v in metrics.values())


@every_task
def test_a_task_survives_a_checkpoint(name, tmp_path):
    plan = planned(example("tasks", name), tmp_path)
    module, batches = build(plan)
    path = tmp_path / "last.ckpt"
    trainer = build_trainer(plan)
    with silence_lightning():
        trainer.fit(module, ChunkLoader(batches["train"], plan.length.steps))
        AtomicCheckpointIO().save_checkpoint({"state_dict": module.state_dict()}, path)
        before = torch.cat(trainer.predict(module, batches["test"]))
        fresh = build_module(plan)
        untrained = torch.cat(build_trainer(plan).predict(fresh, batches["test"]))
        fresh.load_state_dict(load_checkpoint(path)["state_dict"])
        after = torch.cat(build_trainer(plan).predict(fresh, batches["test"]))
    assert torch.equal(before, after)
    assert not torch.equal(untrained, after)


@every_task
@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_a_task_learns_and_measures_in_every_precision(name, precision, tmp_path):
    hardware = {"accelerator": "cpu", "num_threads": 1, "precision": precision}
    plan = planned(example("tasks", name), tmp_path, train={"steps": 4, "log_every_n_steps": 1}, hardware=hardware)
    module, batches = build(plan)
    curve = LossRecorder()
    with silence_lightning():
        trainer = build_trainer(plan, logger=curve)
        trainer.fit(module, ChunkLoader(batches["train"], plan.length.steps), batches["val"])
        (metrics,) = trainer.test(module, batches["test"], verbose=False)
        predicted = torch.cat(trainer.predict(module, batches["test"]))
    assert len(curve.losses) == 4
    assert all(map(math.isfinite, [*curve.losses, *metrics.values()]))
    assert predicted.double().isfinite().all()


@every_task
def test_metrics_of_a_split_do_not_depend_on_what_was_measured_before(name, tmp_path):
    plan = planned(example("tasks", name), tmp_path)
    module, batches = build(plan)
    with silence_lightning():
        first = build_trainer(plan).test(module, batches["test"], verbose=False)
        build_trainer(plan).validate(module, batches["val"], verbose=False)
        again = build_trainer(plan).test(module, batches["test"], verbose=False)
    assert first == again


@every_task
def test_the_loss_that_is_measured_is_that_of_all_samples(name, tmp_path):
    plan = planned(example("tasks", name), tmp_path)
    module, batches = build(plan)
    whole, small = batches["test"], batches["test"]
    with silence_lightning():
        (one,) = build_trainer(plan).test(module, whole, verbose=False)
        small.size = 5
        (other,) = build_trainer(plan).test(module, small, verbose=False)
    assert one == pytest.approx(other, rel=1e-4)
