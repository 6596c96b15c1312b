"""Weights that begin as another run's ended, and layers that wait before they learn."""

import json
import shutil

import pytest
import torch
from kit import AfterStep, Stopper, is_stopped, last_checkpoint, quiet, train_in

import dlx
from dlx.engine.build.experiment import build_module
from dlx.engine.checkpoint import load_checkpoint
from dlx.errors import RecipeError, UsageError
from dlx.plan.report import report

RECIPE = """
name: NAME
task: classification
data: {source: {sklearn: digits}}
model: {type: layers, layers: [flatten, {linear: LAST}, batch_norm, relu]}
optimizer: {adamw: {lr: 0.01}}
train: {epochs: 2, batch_size: 32, limit_train_samples: 128, limit_val_samples: 32}
hardware: {accelerator: cpu, num_threads: 1}
"""
STEPS = 8


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return train_in(tmp_path_factory.mktemp("base"), RECIPE.replace("NAME", "first").replace("LAST", "16"))


@pytest.fixture
def here(base, tmp_path, monkeypatch):
    """A folder with the first run, and a recipe for a second."""
    shutil.copytree(base.folder, tmp_path / "runs" / base.folder.name)
    (tmp_path / "r.yaml").write_text(RECIPE.replace("NAME", "second").replace("LAST", "16"))
    (tmp_path / "wide.yaml").write_text(RECIPE.replace("NAME", "wide").replace("LAST", "24"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights(run):
    return load_checkpoint(run.checkpoint)["state_dict"]


def last(run):
    return last_checkpoint(run)["state_dict"]


def built(changes, recipe="r.yaml"):
    return build_module(dlx.plan.make(dlx.load(recipe, changes))).state_dict()


def test_a_run_begins_with_the_best_weights_of_another(base, here):
    own, other, best = built({}), built({"init_from": "first"}), weights(base)
    names = [n for n in own if n.startswith("networks.")]
    assert names and all(torch.equal(other[n], best[n]) for n in names)
    assert not torch.equal(own[names[0]], best[names[0]])


def test_only_some_layers_are_taken(base, here):
    own, best = built({}), weights(base)
    other = built({"init_from": {"run": "first", "only": ["body"]}})
    for name in (n for n in own if n.startswith("networks.")):
        taken = ".body." in name
        assert torch.equal(other[name], best[name] if taken else own[name]), name


def test_what_does_not_fit_is_listed(here):
    with pytest.raises(UsageError, match=r"body\.1\.weight: 24 × 64 here, 16 × 64 there"):
        built({"init_from": "first"}, "wide.yaml")
    with pytest.raises(UsageError, match="nobody"):
        built({"init_from": {"run": "nobody"}})
    with pytest.raises(UsageError, match="holds network, this recipe network"):
        built({"init_from": {"run": "first", "roles": {"network": "encoder"}}})


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"freeze": ["bodi"]}, "no layer with weights is named 'bodi'"),
        ({"init_from": {"run": "first", "only": ["hed"]}}, "no layer with weights is named 'hed'"),
        ({"init_from": {"run": "first", "roles": {"encoder": "network"}}}, "no such network; there are network"),
        ({"freeze": ["*"]}, "nothing is left of network that could learn"),
        ({"freeze": {"layers": "body.1", "until": 0.5, "gradual": True}}, "this names one layer"),
        ({"freeze": {"layers": "body.*", "gradual": True}}, "gradual unfreezing needs `until`"),
        ({"optimizer.lr_scale": {"hed": 3.0}}, "no layer with weights is named 'hed'; did you mean head.0"),
        ({"optimizer.layers_pattern": "bdy.*", "optimizer.layer_decay": 0.5}, "no layer with weights is named 'bdy"),
    ],
)
def test_names_are_checked_by_the_plan(here, change, place):
    with pytest.raises(RecipeError, match=place):
        dlx.plan.make(dlx.load("r.yaml", change))


def test_the_run_says_where_its_weights_came_from(base, here):
    run = dlx.train("r.yaml", {"init_from": "first"}, console=quiet())
    told = json.loads((run.folder / "lock.json").read_text())["init_from"]
    assert told["run"] == base.folder.name and len(told["sha256"]) == 64
    assert "init_from" in (run.folder / "resolved.yaml").read_text()


def test_frozen_layers_stay_as_they_are(base, here):
    run = dlx.train("r.yaml", {"init_from": "first", "freeze": ["body"]}, console=quiet())
    before, after = weights(base), last(run)
    for name in (n for n in before if n.startswith("networks.") and "num_batches" not in n):
        assert torch.equal(before[name], after[name]) == (".body." in name), name


def test_frozen_layers_learn_from_the_step_on_that_is_said(here):
    seen = []

    def look(module):
        body, head = (getattr(module.networks["network"], part) for part in ("body", "head"))
        seen.append((body[1].weight.requires_grad, body[2].training, head[0].weight.requires_grad))

    freeze = [{"layers": "body.2", "until": 6.0}, {"layers": "body", "until": 0.25}]
    dlx.train("r.yaml", {"freeze": freeze}, console=quiet(), callbacks=[AfterStep(look)])
    assert [linear for linear, _, _ in seen] == [False] * 2 + [True] * 6
    assert [norm for _, norm, _ in seen] == [False] * 6 + [True] * 2
    assert all(head for _, _, head in seen)


DEEP = {"model.layers": ["flatten", *[{"linear": 8}, "batch_norm", "relu"] * 2, {"dropout": 0.5}]}


def test_layers_begin_to_learn_one_by_one_from_the_last(here):
    seen = []

    def look(module):
        body = module.networks["network"].body
        seen.append("".join(str(int(body[i].weight.requires_grad and body[i].training)) for i in (1, 2, 4, 5)))
        assert module.networks["network"].head[0].weight.requires_grad

    freeze = {"layers": "body.*", "until": 0.99, "gradual": True}  # ends after 0.99 · 8 steps: 4 layers, 2 steps each
    dlx.train("r.yaml", {**DEEP, "freeze": [freeze]}, console=quiet(), callbacks=[AfterStep(look)])
    assert seen == ["0000"] * 2 + ["0001"] * 2 + ["0011"] * 2 + ["0111"] * 2


def test_the_plan_says_how_layers_learn(here):
    changes = {
        **DEEP, "freeze": [{"layers": "body.1"}, {"layers": "body.[2-9]", "until": 6.0, "gradual": True}],
        "optimizer.lr_scale": {"head": 10.0}, "optimizer.layer_decay": 0.5, "optimizer.layers_pattern": "body.*",
    }  # fmt: skip
    found = report(dlx.plan.make(dlx.load("r.yaml", changes)))["networks"]["network"]["layers"]
    said = {layer["name"]: (layer["lr_factor"], layer["learns_from"]) for layer in found if layer["parameters"]}
    assert said == {
        "body.1": (1 / 16, "never"), "body.2": (1 / 8, 6), "body.4": (1 / 4, 4), "body.5": (1 / 2, 2),
        "head.0": (10.0, 0),
    }  # fmt: skip
    assert {layer["lr_factor"] for layer in found if not layer["parameters"]} == {None}


def test_the_plan_says_that_rates_decay_by_modules_that_it_does_not_know(here, capsys):
    from dlx.commands.plan import command

    found = report(dlx.plan.make(dlx.load("r.yaml", {**DEEP, "optimizer.layer_decay": 0.5})))
    assert found["networks"]["network"]["layer_decay"] == 0.5
    command(here / "r.yaml", ["optimizer.layer_decay=0.5", "optimizer.lr_scale={head: 10}"])
    shown = capsys.readouterr().out
    assert "lr × 0.5ⁿ" in shown and "lr × 10 × 0.5ⁿ" in shown and "n counts modules" in shown


def test_layers_are_trained_by_their_rates(here):
    """Halving a layer's rate is halving the lr where nothing else learns."""
    frozen = {"freeze": ["body"], "optimizer": {"sgd": {"lr": 0.1}}}
    half = dlx.train("r.yaml", {**frozen, "optimizer.lr_scale": {"head": 0.5}}, console=quiet())
    other = dlx.train("r.yaml", {**frozen, "optimizer": {"sgd": {"lr": 0.05}}}, console=quiet())
    assert all(torch.equal(a, b) for a, b in zip(last(half).values(), last(other).values(), strict=True))


def test_a_run_goes_on_without_the_one_that_it_began_with(here):
    changes = {"init_from": "first", "freeze": [{"layers": "body", "until": 0.7}, {"layers": "body.2"}]}
    whole = dlx.train("r.yaml", changes, console=quiet())
    with is_stopped():
        dlx.train("r.yaml", changes, console=quiet(), callbacks=[Stopper(3)])
    for folder in here.glob("runs/first-*"):
        shutil.rmtree(folder)
    run = dlx.resume("last", console=quiet())
    assert all(torch.equal(a, b) for a, b in zip(last(whole).values(), last(run).values(), strict=True))
    assert run.metrics == whole.metrics
    assert dlx.evaluate(str(run.folder)).metrics["test/accuracy"] == run.metrics["test/accuracy"]


def test_a_classifier_begins_with_machines_that_learned_without_labels(here):
    layers = {"type": "layers", "layers": ["flatten", {"rbm": 8}, {"rbm": 6}]}
    unit = {"data.transforms": [{"normalize": {"method": "min_max"}}]}
    machines = dlx.train("r.yaml", {"name": "deep", "task": "rbm", "model": layers, **unit}, console=quiet())
    begun = built({"init_from": {"run": "deep", "only": ["body"]}, "model": layers, **unit})
    learned = weights(machines)
    for part in ("body.1.weight", "body.2.hidden_bias"):
        assert torch.equal(begun[f"networks.network.{part}"], learned[f"networks.encoder.{part}"])
