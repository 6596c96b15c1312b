"""Recipes in stages: one training after the other, each an ordinary run, and all of them one that goes on exactly."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import kit
import pytest
import torch
from kit import Cut, Stopper, cut, is_stopped, quiet, terminate, train_in

import dlx
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.runs import stages
from dlx.engine.runs.claims import check_recipe
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.errors import DataError, RecipeError, UsageError
from dlx.run_folders import find_run_folder
from dlx.tracking.listing import list_runs

RECIPE = """\
name: deep
task: classification
data: {source: {sklearn: digits}}
model: {type: layers, layers: [flatten, {linear: 12}, batch_norm, relu, {dropout: 0.1}]}
optimizer: {adamw: {lr: 0.01}}
train: {epochs: 2, batch_size: 32, figures: false, limit_train_samples: 128, limit_val_samples: 32,
  limit_test_samples: 32}
hardware: {accelerator: cpu, num_threads: 1}
stages:
  first:
    seed: 3
    expect: {test/loss: "<= 10"}
  second:
    init_from: {stage: first, only: [body]}
    freeze: {layers: body.1, until: 0.5}
    expect: {test/accuracy: ">= 0"}
"""
STEPS = 8


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train_in(tmp_path_factory.mktemp("whole"), RECIPE)


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "r.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stopped(at, act, changes=()):
    """Train until something happens before a step, counted over both stages."""
    with is_stopped():
        dlx.train("r.yaml", changes, console=quiet(), callbacks=[Stopper(at, act)])


def ends(run):
    """Everything that the stages ended with: the best weights, and the last ones."""
    parts = [run.folder / place / "checkpoints" for place in run.stages]
    return [
        load_checkpoint(path)["state_dict"]
        for part in parts
        for path in (part / "best.ckpt", list_checkpoints(part)[0])
    ]


def same(a, b):
    return all(x.keys() == y.keys() and all(torch.equal(x[n], y[n]) for n in x) for x, y in zip(a, b, strict=True))


def same_end(whole, run):
    assert same(ends(whole), ends(run))
    assert run.metrics == whole.metrics
    assert run.stages == whole.stages == {"1-first": True, "2-second": True}
    assert json.loads((run.folder / "run.json").read_text())["metrics"] == whole.metrics


def test_stages_are_what_their_recipes_are_one_after_the_other(whole, here):
    base = RECIPE[: RECIPE.index("stages:")]
    (here / "first.yaml").write_text(base + "seed: 3\n")
    first = dlx.train("first.yaml", console=quiet())
    (here / "second.yaml").write_text(
        base + f"init_from: {{run: {first.folder}, only: [body]}}\nfreeze: {{layers: body.1, until: 0.5}}\n"
    )
    second = dlx.train("second.yaml", console=quiet())
    alone = [
        load_checkpoint(p)["state_dict"]
        for r in (first, second)
        for p in (r.checkpoint, list_checkpoints(r.folder / "checkpoints")[0])
    ]
    assert same(ends(whole), alone)
    assert whole.metrics == {f"first/{name}": v for name, v in first.metrics.items()} | second.metrics


def test_the_whole_is_judged_by_the_claims_of_all(whole, here):
    assert [(v.metric, v.held) for v in whole.verdict] == [("test/accuracy", True), ("first/test/loss", True)]
    (here / "r.yaml").write_text(RECIPE.replace("<= 10", "<= 0"))
    rows = check_recipe(here / "r.yaml", here / "runs", quiet())
    assert {(row.metric, row.verdict) for row in rows} == {("first/test/loss", "failed"), ("test/accuracy", "held")}
    assert list_runs(here / "runs")[0].verdict == "failed"


@pytest.mark.parametrize("step", [5, STEPS + 3, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 7, 8, 15))])
def test_a_run_that_is_stopped_goes_on_exactly(whole, here, step):
    stopped(step, terminate)
    same_end(whole, dlx.resume("last", console=quiet()))


@pytest.mark.parametrize("step", [STEPS, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 10))])
def test_a_run_that_is_cut_off_goes_on_exactly(whole, here, step):
    stopped(step, cut, {"train.checkpoint_every_n_seconds": 1e-9})
    same_end(whole, dlx.resume("last", console=quiet()))


def test_a_run_that_is_cut_off_between_stages_goes_on_exactly(whole, here, monkeypatch):
    for times in (1, 2):  # after the first stage is finished, then after the second, before the whole is written
        with pytest.MonkeyPatch.context() as patch:
            original, seen = stages._add_stage, []

            def add(*args, times=times, seen=seen, original=original):
                seen.append(1)
                original(*args)
                if len(seen) == times:
                    raise Cut

            patch.setattr(stages, "_add_stage", add)
            with pytest.raises(Cut):
                dlx.train("r.yaml", console=quiet()) if times == 1 else dlx.resume("last", console=quiet())
    same_end(whole, dlx.resume("last", console=quiet()))


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from kit import Stopper, quiet
import dlx
stopper = Stopper({step}, lambda: os.kill(os.getpid(), signal.SIGKILL))
dlx.train("r.yaml", {{"train.checkpoint_every_n_seconds": 1e-9}}, console=quiet(), callbacks=[stopper])
"""


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_exactly_and_is_marked(whole, here):
    script = KILLED.format(step=STEPS + 3, tests=str(Path(kit.__file__).parent))
    done = subprocess.run([sys.executable, "-c", script], cwd=here, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert {run.run.partition("/")[2]: run.state for run in list_runs(here / "runs")} == {
        "": "KILLED", "1-first": "FINISHED", "2-second": "KILLED",
    }  # fmt: skip
    same_end(whole, dlx.resume("last", console=quiet()))


def test_what_is_finished_does_not_change(whole, here):
    with pytest.raises(UsageError, match="is finished, with all of its stages"):
        dlx.resume(whole.folder, console=quiet())
    stopped(STEPS + 3, terminate)
    with pytest.raises(UsageError, match="the stage first is finished"):
        dlx.resume("last", overrides={"stages.first.train.epochs": 3}, allow_change=True, console=quiet())
    with pytest.raises(UsageError, match=r"changed: train\.epochs: 2 → 3"):
        dlx.resume("last", overrides={"stages.second.train.epochs": 3}, console=quiet())
    run = dlx.resume("last", overrides={"stages.second.train.epochs": 3}, allow_change=True, console=quiet())
    assert int(list_checkpoints(run.folder / "2-second" / "checkpoints")[0].stem.removeprefix("step-")) == 3 * STEPS / 2


def test_a_stage_that_has_not_begun_may_change(here):
    stopped(3, terminate)
    dlx.resume("last", overrides={"stages.second.train.epochs": 1}, allow_change=True, console=quiet())
    said = find_run_folder("last") / "2-second" / "resolved.yaml"
    assert dlx.load(said).recipe.train.epochs == 1


def test_a_run_means_its_last_stage(whole, here):
    assert dlx.evaluate(whole.folder).metrics["test/accuracy"] == whole.metrics["test/accuracy"]
    (here / "runs").symlink_to(whole.folder.parent)
    assert dlx.evaluate("last").checkpoint == dlx.evaluate(f"{whole.folder.name}/2").checkpoint
    first = dlx.evaluate(f"{whole.folder.name}/1-first").metrics
    assert first["test/accuracy"] == whole.metrics["first/test/accuracy"]
    names = [run.run for run in list_runs(here / "runs")]
    assert names == [whole.folder.name, f"{whole.folder.name}/1-first", f"{whole.folder.name}/2-second"]


def test_stages_are_children_in_mlflow(whole):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{whole.folder.parents[1]}/mlflow.db")
    parent = client.get_run(whole.mlflow_run)
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{whole.mlflow_run}'")
    assert {run.info.run_name for run in children} == {f"{whole.folder.name}/{place}" for place in whole.stages}
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"}
    assert parent.data.tags["dlx.verdict"] == "held"
    assert parent.data.metrics["test/accuracy"] == pytest.approx(whole.metrics["test/accuracy"])


def test_the_weights_of_the_first_stage_are_those_of_the_second(whole):
    told = json.loads((whole.folder / "2-second" / "lock.json").read_text())["init_from"]
    assert told["checkpoint"].endswith("1-first/checkpoints/best.ckpt")
    before, after = (
        load_checkpoint(whole.folder / p / "checkpoints" / "best.ckpt")["state_dict"] for p in whole.stages
    )
    assert before.keys() == after.keys()


@pytest.mark.parametrize(
    ("layers", "place"),
    [
        ("[flatten, {linear: 9}, batch_norm, relu]", r"body\.1 has 585 parameters here, 780 there"),
        ("[flatten, {linear: 12}, relu, batch_norm]", r"body\.3 has 24 parameters here, and is not there"),
    ],
)
def test_the_plan_knows_which_layers_match(here, layers, place):
    changes = [f"stages.second.model.layers={layers}", "stages.second.freeze=null"]
    with pytest.raises(RecipeError, match=place) as caught:
        dlx.plan.make(dlx.load("r.yaml", changes))
    (found,) = caught.value.diagnostics
    assert (found.line, found.path) == (14, "stages.second.init_from")


def test_weights_of_another_shape_are_refused_before_anything_is_trained(here):
    image = "{conv: {channels: 2, kernel: [%s], padding: same}}"
    layers = ["[" + image % sides + ", flatten]" for sides in ("1, 3", "3, 1")]
    changes = [f"stages.{name}.model.layers={text}" for name, text in zip(("first", "second"), layers, strict=True)]
    with pytest.raises(UsageError, match=r"the stage first does not fit.*\n *body\.0\.weight: 2 × 1 × 3 × 1 here"):
        dlx.train("r.yaml", [*changes, "stages.second.freeze=null"], console=quiet())
    assert not (here / "runs").exists()


GREEDY = """\
name: greedy
data: {source: {sklearn: digits}, transforms: [{scale: 0.0625}]}
task: {type: rbm, evaluate: {linear_probe: false}}
model: {type: layers, layers: [flatten, {rbm: 8}]}
optimizer: {sgd: {lr: 0.1}}
train: {epochs: 1, batch_size: 32, limit_train_samples: 128}
hardware: {accelerator: cpu, num_threads: 1}
stages:
  first: {}
  second:
    model: {layers: [flatten, {rbm: 8}, {rbm: 6}]}
    init_from: {stage: first, only: [body.1]}
    freeze: [body.1]
"""


def test_layers_are_learned_greedily(here):
    (here / "r.yaml").write_text(GREEDY)
    first, _, second, _ = ends(dlx.train("r.yaml", console=quiet()))
    lower = [name for name in first if ".body.1." in name]
    assert len(lower) == 3 and all(torch.equal(first[name], second[name]) for name in lower)
    assert second["networks.encoder.body.2.hidden_bias"].abs().min() > 0, "biases begin at 0"


def test_stages_that_torchrun_starts_are_refused(here, monkeypatch):
    for name, value in {"RANK": 0, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "WORLD_SIZE": 1, "MASTER_PORT": 1}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(UsageError, match="without torchrun"):
        dlx.train("r.yaml", console=quiet())


def test_a_learning_rate_is_not_looked_for(here):
    with pytest.raises(UsageError, match="not for several stages"):
        dlx.train("r.yaml", find_lr=True, console=quiet())


@pytest.mark.slow
def test_stages_train_with_several_processes(here):
    run = dlx.train("r.yaml", {"hardware.devices": 2}, console=quiet())
    assert run.claims_hold and all(run.stages.values())
    first, second = (
        load_checkpoint(list_checkpoints(run.folder / place / "checkpoints")[0])["state_dict"] for place in run.stages
    )
    assert not torch.equal(first["networks.network.body.1.weight"], second["networks.network.body.1.weight"])


def test_a_fast_run_tries_every_stage(here):
    run = dlx.train("r.yaml", fast=True, console=quiet())
    assert set(run.stages.values()) == {True}
    assert {"test/accuracy", "first/test/loss"} <= set(run.metrics)


def test_data_that_changed_are_refused(here):
    (here / "x.csv").write_text("a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(64)))
    changes = {
        "data": {"source": {"table": {"path": "x.csv"}}, "target": "b"},
        "model": {"mlp": {"hidden": [4]}},
        "stages.second.freeze": None,
        "stages.second.init_from.only": ["*"],
    }
    stopped(1, terminate, changes)
    (here / "x.csv").write_text("a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(65)))
    with pytest.raises(DataError, match="changed since the run began"):
        dlx.resume("last", console=quiet())
