"""Sequences of varying length in training: padding changes neither loss nor gradient, and no batch is lost."""

import numpy as np
import pytest
import torch

from dlx.augmentations import Augmentation
from dlx.engine.build.experiment import build_module
from dlx.engine.data.batches import Batches, build_augmentation, move_to_device
from dlx.facts import DataFacts, Lengths
from dlx.plan import make
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe
from dlx.sources import Spans
from dlx.tasks import MASK
from dlx.tensors import TensorSpec

WORDS = 12
GENERATOR = np.random.default_rng(0)
TEXTS = [GENERATOR.integers(4, WORDS, n) for n in GENERATOR.integers(1, 30, 203)]
FACTS = DataFacts(
    {"text": TensorSpec((None,), "T", "int64", (WORDS,)), "target": TensorSpec((), "", "int64", (2,))},
    ("text",),
    "target",
    ("bad", "good"),
    lengths={"text": Lengths(15.0, 29)},
    class_counts=(100, 103),
)


def batches(**changes):
    arrays = {"text": Spans.of(TEXTS), "target": np.arange(len(TEXTS)) % 2}
    fields = move_to_device(arrays, torch.device("cpu"))
    return Batches(fields, **{"rows": np.arange(len(TEXTS)), "size": 8, "seed": 0, "shuffle": True, **changes})


def learner(model):
    """A classifier of texts, as a recipe would build it."""
    recipe = Recipe.model_validate(
        {
            "task": "classification",
            "data": {"source": {"sklearn": "iris"}},
            "model": model,
            "optimizer": "sgd",
            "hardware": {"accelerator": "cpu", "num_threads": 1},
        }
    )
    counted = DataFacts(**{**vars(FACTS), "counts": {"train": 203, "val": 10, "test": 10}})
    return build_module(make(LoadedRecipe(recipe, None), counted))


MODELS = [
    {"text_cnn": {"embedding_dim": 8, "channels": 4, "dropout": 0}},
    {"lstm": {"embedding_dim": 8, "hidden": 8, "bidirectional": True}},
    {"gru": {"embedding_dim": 8, "hidden": 8, "output": "mean"}},
    {"tcn": {"embedding_dim": 8, "channels": [8, 8], "dropout": 0}},
    {"bert": {"features": 8, "num_layers": 1, "num_heads": 2, "max_length": 64, "dropout": 0}},
    {
        "type": "layers",
        "layers": [{"embedding": 8}, {"position_embedding": "sinusoidal"}, {"attention": {"num_heads": 2}}],
    },
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: next(iter(m)))
def test_padding_changes_neither_loss_nor_gradient(model):
    module = learner(model).double()
    module.train()
    rows = np.array([0, 1, 2, 3, 4])
    (padded,) = batches(rows=rows, shuffle=False)
    assert "text" + MASK in padded
    together = module.loss(padded)
    together.backward()
    gradients = {n: p.grad.clone() for n, p in module.named_parameters()}
    module.zero_grad()
    alone = [next(iter(batches(rows=rows[i : i + 1], shuffle=False))) for i in range(len(rows))]
    assert all("text" + MASK not in batch for batch in alone)
    apart = sum(module.loss(batch) for batch in alone) / len(rows)
    apart.backward()
    assert together.item() == pytest.approx(apart.item(), rel=1e-9)
    assert len({len(TEXTS[i]) for i in rows}) > 1
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-6, atol=1e-9, msg=name)


def test_a_batch_holds_each_text_and_its_mask():
    for batch in batches(shuffle=False):
        mask = batch.get("text" + MASK, batch["text"] != 0)
        for row, ids, real in zip(batch["rows"], batch["text"], mask, strict=True):
            assert ids[real].tolist() == TEXTS[row].tolist()
            assert not ids[~real].any()


def waste(chosen):
    """Count the padding of batches."""
    lengths = [[len(TEXTS[row]) for row in rows] for rows in chosen]
    return sum(max(n) * len(n) - sum(n) for n in lengths)


def test_batches_in_training_are_of_like_length_and_lose_no_text():
    made = batches()
    chosen = made.batch_rows()
    plain = [made.rows[i : i + 8] for i in range(0, 203, 8)]
    assert waste(chosen) < 0.2 * waste(plain)
    assert sorted(np.concatenate(chosen)) == list(range(203))
    made.set_epoch(1)
    assert [list(r) for r in made.batch_rows()] != [list(r) for r in chosen]


def test_a_single_text_is_left_out_wherever_its_batch_stands():
    made = batches(rows=np.arange(201))
    sizes = [len(rows) for rows in made.batch_rows()]
    assert sizes == [8] * 25
    assert len(made) == 25


@pytest.mark.parametrize("first", [0, 3, 20])
def test_batches_can_begin_anywhere(first):
    whole = list(batches())
    rest = list(batches().iterate_from(first))
    assert len(rest) == len(whole) - first
    for one, other in zip(whole[first:], rest, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_tokens_that_an_augmentation_removed_are_not_real():
    deletion = Augmentation.model_validate({"random_deletion": {"fraction": 0.5, "p": 1.0}})
    made = batches(transforms=[build_augmentation([deletion], FACTS)], random=True)
    for batch in made:
        assert batch["text"].dtype == torch.int64
        assert torch.equal(batch["text" + MASK], batch["text"] != 0)
        for row, ids in zip(batch["rows"], batch["text"], strict=True):
            before = len(TEXTS[row])
            assert (ids != 0).sum() == before - min(max(1, round(0.5 * before)), before - 1)


def test_the_plan_counts_varying_lengths_by_their_mean_and_memory_by_the_longest():
    def planned(lengths):
        recipe = Recipe.model_validate(
            {"task": "classification", "data": {"source": {"sklearn": "iris"}}, "model": MODELS[2]}
        )
        facts = DataFacts(
            **{**vars(FACTS), "lengths": {"text": lengths}, "counts": {"train": 203, "val": 9, "test": 9}}
        )
        return make(LoadedRecipe(recipe, None), facts)

    short, typical, long = planned(Lengths(10.0, 10)), planned(Lengths(20.0, 20)), planned(Lengths(10.0, 20))
    per_step = (typical.quantities["plan/macs"] - short.quantities["plan/macs"]) / 10
    assert per_step == 3 * 8 * (8 + 8)
    assert long.quantities["plan/macs"] == short.quantities["plan/macs"]
    assert long.memory.activations == typical.memory.activations > short.memory.activations
