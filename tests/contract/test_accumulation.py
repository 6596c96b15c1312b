"""Gradient accumulation: a batch teaches the same in however many micro-batches; what cannot is named by the plan.

Every task and every loss takes one step of SGD with a learning rate of 1, so that weights differ by the gradient.
"""

import dataclasses
import math
from contextlib import suppress

import pytest
import torch
from kit import build, example
from task_plans import CONVS, planned, planned_on

from dlx.component import find, types
from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.lr_finder import LossRecorder
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import RecipeError
from dlx.schedules import TrainingLength
from dlx.tasks import for_role

DOUBLE = {"accelerator": "cpu", "num_threads": 1, "precision": 64}
BATCH, CUTS = 30, (2, 3, 10)
"""Samples of a batch, and in how many micro-batches it is computed."""
COMPARED = "DLX520"


def changes(cut, **more):
    train = {"steps": 1, "log_every_n_steps": 1, "batch_size": BATCH, "gradient_accumulation": cut}
    return {"optimizer": {"sgd": {"lr": 1.0}}, "hardware": DOUBLE, "train": train, **more}


def step(plan):
    """Take one step; return the loss, and by how much the weights of each network moved."""
    module, batches = build(plan)
    before = {role: flat(net) for role, net in module.networks.items()}
    one, curve = dataclasses.replace(batches["train"], rows=batches["train"].rows[:BATCH]), LossRecorder()
    callbacks = [c for r in plan.recipe.regularize.values() if (c := r.callback()) is not None]
    with silence_lightning():
        build_trainer(plan, logger=curve, callbacks=callbacks).fit(module, ChunkLoader(one, 1))
    return curve.losses[0], {role: flat(net) - before[role] for role, net in module.networks.items()}


def flat(network):
    return torch.cat([p.detach().double().flatten() for p in network.parameters()]).clone()


def warned(plan):
    return [problem.message for problem in plan.warnings if problem.code == COMPARED]


def assert_same_in_parts(plan_in_parts):
    """Compare the steps of plans that cut their batches differently: the same loss, and the same gradient."""
    loss, moved = step(plan_in_parts(1))
    assert all(change.norm() > 0 for change in moved.values())
    for cut in CUTS:
        plan = plan_in_parts(cut)
        if warned(plan):
            continue
        loss_in_parts, moved_in_parts = step(plan)
        assert loss_in_parts == pytest.approx(loss, rel=1e-6)
        for role, change in moved.items():
            assert torch.allclose(moved_in_parts[role], change, rtol=1e-6, atol=1e-6 * change.abs().max()), (role, cut)


@pytest.mark.parametrize("name", types("tasks"))
def test_a_task_learns_the_same_from_a_batch_in_parts(name, tmp_path):
    every_step = {"critic_steps": 1} if "critic_steps" in find("tasks", name).model_fields else {}
    assert_same_in_parts(lambda cut: planned(example("tasks", name) | every_step, tmp_path, **changes(cut)))


LOSSES = types("losses")
WEIGHTED = [name for name in LOSSES if "class_weight" in find("losses", name).model_fields]
TARGETS = [("classification", "wine"), ("classification", "breast_cancer"), ("regression", "diabetes")]


@pytest.mark.parametrize(
    ("name", "more"), [*((name, {}) for name in LOSSES), *((name, {"class_weight": "balanced"}) for name in WEIGHTED)]
)
def test_a_loss_is_the_same_in_parts(name, more, tmp_path):
    def plan(cut):
        for task, source in TARGETS:
            asked = {"type": task, "loss": {"type": name, **more}}
            with suppress(RecipeError):
                return planned_on({"sklearn": source}, {"mlp": {"hidden": [8]}}, asked, tmp_path, **changes(cut))
        return planned({"type": "segmentation", "loss": {"type": name, **more}}, tmp_path, **changes(cut))

    assert_same_in_parts(plan)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ("batch_norm", "batch_norm: samples are compared with the 10 of a micro-batch"),
        (
            {"mixture_of_experts": {"num_experts": 3, "expert": {"feed_forward": 8}, "load_balancing": 1.0}},
            "mixture_of_experts: ",
        ),
        ({"mixture_of_experts": {"expert": {"feed_forward": 8}, "load_balancing": 0.0}}, None),
        ("layer_norm", None),
    ],
)
def test_layers_that_compare_samples_are_named_and_others_learn_the_same(layer, says, tmp_path):
    model = {"type": "layers", "layers": [{"linear": 16}, layer, "tanh"]}

    def plan(cut):
        return planned_on({"moons": {}}, model, "classification", tmp_path, **changes(cut))

    if says is None:
        assert_same_in_parts(plan)
    else:
        (message,) = warned(plan(3))
        assert says in message and not warned(plan(1))
        _, whole = step(plan(1))
        _, parts = step(plan(3))
        assert not torch.allclose(whole["network"], parts["network"], rtol=1e-3)


@pytest.mark.parametrize("task", [{"simclr": {"views": ["random_gaussian_noise"]}}, {"metric_learning": {}}])
def test_tasks_that_compare_samples_are_named(task, tmp_path):
    (name,) = task
    task = {"type": name, **task[name]}
    plan = planned_on({"sklearn": "digits"}, CONVS, task, tmp_path, **changes(3))
    assert "of its micro-batch, not with all 30" in warned(plan)[0]


# -- schedules ---------------------------------------------------------------------------------------------------------


def train_and_count(plan):
    """Train to the end; return by role how many steps its optimizer took, and its learning rate after the last."""
    module, batches = build(plan)
    configure, counts = module.configure_optimizers, {}

    def configure_and_count():
        configured = configure()
        for role, entry in zip(module.networks, configured, strict=True):
            counts[role] = 0
            entry["optimizer"].register_step_post_hook(lambda *_, role=role: counts.update({role: counts[role] + 1}))
        return configured

    module.configure_optimizers = configure_and_count
    with silence_lightning():
        trainer = build_trainer(plan)
        trainer.fit(module, ChunkLoader(batches["train"], plan.length.steps))
    rates = dict(zip(module.networks, (o.param_groups[0]["lr"] for o in trainer.optimizers), strict=True))
    return {role: (count, rates[role]) for role, count in counts.items()}


def assert_schedules_end(plan, lr=1e-3):
    """Compare the last learning rate of every role with its schedule's at the end of as many steps as it took."""
    for role, (taken, rate) in train_and_count(plan).items():
        schedule = for_role(plan.recipe.schedule, role)
        epochs = plan.length.steps / plan.length.steps_per_epoch
        assert taken >= 2
        assert rate == pytest.approx(lr * schedule.lr_lambda(taken, TrainingLength(taken, taken / epochs)), abs=1e-12)


def scheduled(cut, schedule):
    train = {"steps": 12, "log_every_n_steps": 1, "batch_size": BATCH, "gradient_accumulation": cut}
    return {"schedule": schedule, "train": train, "optimizer": {"sgd": {"lr": 1e-3}}}


@pytest.mark.parametrize("cut", [1, 3])
@pytest.mark.parametrize("name", types("tasks"))
def test_every_role_ends_its_schedule_at_its_own_last_step(name, cut, tmp_path):
    plan = planned(example("tasks", name), tmp_path, **scheduled(cut, {"cosine": {"warmup": 0.25}}))
    assert_schedules_end(plan)


@pytest.mark.parametrize("cut", [1, 3])
@pytest.mark.parametrize("name", [n for n in types("schedules") if find("schedules", n).interval == "step"])
def test_every_schedule_ends_for_networks_that_take_fewer_steps(name, cut, tmp_path):
    schedule = example("schedules", name)
    plan = planned({"type": "wgan", "critic_steps": 2}, tmp_path, **scheduled(cut, schedule))
    assert_schedules_end(plan)


# -- what is done to a gradient that networks share --------------------------------------------------------------------

SHARED = [name for name in types("tasks") if find("tasks", name).shared_gradient]


def shared_plan(name, folder, **regularize):
    return planned(example("tasks", name), folder, **changes(1, regularize=regularize))


@pytest.mark.parametrize("name", SHARED)
def test_networks_that_share_a_gradient_are_clipped_together(name, tmp_path):
    _, free = step(shared_plan(name, tmp_path))
    _, clipped = step(shared_plan(name, tmp_path, grad_clip={"norm": 1e-3}))
    norm = torch.cat(list(free.values())).norm()
    assert len(free) > 1 and norm > 1e-3
    for role, change in free.items():
        assert torch.allclose(clipped[role], change * 1e-3 / norm, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", SHARED)
def test_networks_that_share_a_gradient_get_noise_of_their_own(name, tmp_path):
    _, free = step(shared_plan(name, tmp_path))
    _, noisy = step(shared_plan(name, tmp_path, gradient_noise={"eta": 1.0}))
    noises = [noisy[role] - change for role, change in free.items()]
    one, other = (noise[: min(map(len, noises))] for noise in noises[:2])
    assert one.std() == pytest.approx(1, rel=0.2)
    assert abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) < 5 / math.sqrt(len(one))
