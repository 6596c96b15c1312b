"""Auxiliary heads: layers in the middle of a network predict the target too, in training."""

import pytest
import torch
from kit import make_plan
from torch.nn import functional as F

import dlx
from dlx.engine.build.experiment import build
from dlx.errors import RecipeError
from dlx.facts import DataFacts
from dlx.models import Model
from dlx.nn.protocols import AuxiliaryOutput
from dlx.plan import make
from dlx.tasks import Task
from dlx.tensors import TensorSpec

LAYERS = (
    "[flatten, {linear: 16}, relu, {early: {auxiliary_head: {layers: [{linear: 8}, relu], weight: 0.5}}}, {linear: 9}]"
)
RECIPE = f"""
task: classification
data: {{source: {{sklearn: digits}}}}
model: {{type: layers, layers: {LAYERS}}}
optimizer: {{sgd: {{lr: 0.05}}}}
train: {{epochs: 1, batch_size: 64}}
hardware: {{accelerator: cpu, num_threads: 1, precision: 32}}
"""


@pytest.fixture
def planned(tmp_path):
    return lambda *changes: make_plan(RECIPE, changes, tmp_path)


def test_googlenet_has_the_parameters_of_its_three_ends():
    photo = TensorSpec((3, 224, 224), "CHW")
    names = tuple(map(str, range(1000)))
    target = TensorSpec((), "", "int64", vocab=(1000,))
    facts = DataFacts({"image": photo, "target": target}, ("image",), "target", names)
    model = Model.model_validate({"googlenet": {"aux_logits": True}})
    tree = Task.model_validate("classification").network("network", model, facts)
    assert tree.cost(photo).parameters == 13_004_888  # as torchvision's, with auxiliary classifiers
    with torch.device("meta"):
        heads = [m for m in tree.build(photo).modules() if isinstance(m, AuxiliaryOutput)]
        assert [head.weight for head in heads] == [0.3, 0.3]
        assert heads[0].layers(torch.empty(2, 512, 14, 14)).shape == (2, 1000)


def test_the_loss_is_that_of_the_end_and_a_share_of_that_of_the_middle(planned):
    experiment = build(planned())
    module, batch = experiment.module.train(), next(iter(experiment.batches["train"]))
    loss = module.loss(batch)
    network = module.networks["network"]
    x, y = batch["image"], batch["target"]
    middle = network.body[2](network.body[1](x.flatten(1)))
    early = network.body.early.layers(middle)
    end = network.head(network.body[4](middle))
    assert early.shape == end.shape == (len(x), 10)
    assert torch.allclose(loss, F.cross_entropy(end, y) + 0.5 * F.cross_entropy(early, y))
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_outside_of_training_only_the_end_predicts(planned):
    experiment = build(planned())
    module, batch = experiment.module.eval(), next(iter(experiment.batches["val"]))
    loss = module.loss(batch)
    assert module.networks["network"].body.early.auxiliary_output is None
    assert torch.equal(loss, F.cross_entropy(module(batch["image"]), batch["target"]))


def test_a_head_of_ones_own_is_that_of_every_output(planned):
    plan = planned("task.head=[{linear: 20}, tanh, {linear: 10}]")
    network = build(plan).module.networks["network"]
    assert len(network.body.early.layers.head) == len(network.head) == 3


def test_without_a_target_an_auxiliary_head_is_refused(planned):
    with pytest.raises(RecipeError) as refused:
        planned(
            "task=autoencoder",
            f"model={{encoder: {{type: layers, layers: {LAYERS}}}, decoder: {{mlp: {{hidden: [8]}}}}}}",
        )
    assert any("has no target by which it could judge" in d.message for d in refused.value.diagnostics)


def test_every_step_of_a_sequence_has_a_loss_in_the_middle_too(tmp_path):
    (tmp_path / "text.txt").write_text("abcd efgh " * 200)
    (tmp_path / "r.yaml").write_text(
        "task: {language_modeling: {sample_tokens: 0}}\n"
        "data: {source: {text: {path: text.txt, block_size: 8}}, split: {val: 0.1, test: 0}}\n"
        "model: {type: layers, layers: [{embedding: 8}, {gru: 8}, {auxiliary_head: [relu]}, {gru: 8}]}\n"
        "hardware: {accelerator: cpu, num_threads: 1, precision: 32}\n"
    )
    experiment = build(make(dlx.load(tmp_path / "r.yaml")))
    module, batch = experiment.module.train(), next(iter(experiment.batches["train"]))
    loss, (head,) = module.loss(batch), module._auxiliary_outputs
    wanted = F.cross_entropy(head.auxiliary_output.flatten(0, 1), batch["target"].flatten())
    end = F.cross_entropy(module(batch["tokens"]).flatten(0, 1), batch["target"].flatten())
    assert torch.allclose(loss, end + 0.3 * wanted)
