"""Metric learning: losses of pairs and triplets, and retrieval, against loops over all of them."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from dlx.engine.build.experiment import build
from dlx.engine.data.classes import batch_by_class
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.plan import make
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe
from dlx.tasks.metric_learning import module as metric_learning
from dlx.tasks.metric_learning.distances import squared_distances
from dlx.tasks.metric_learning.pair_losses import contrastive_loss, triplet_loss
from dlx.tasks.metric_learning.retrieval import retrieval_metrics


def drawn(seed, n=14, classes=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=generator).double(), torch.randint(classes, (n,), generator=generator)


def pairs(z, target):
    n = range(len(z))
    d = [[sum((a - b) ** 2 for a, b in zip(z[i].tolist(), z[j].tolist(), strict=True)) for j in n] for i in n]
    positives = {a: [p for p in n if p != a and target[p] == target[a]] for a in n}
    negatives = {a: [q for q in n if target[q] != target[a]] for a in n}
    return d, positives, negatives


def semi_hard(z, target, margin):
    d, positives, negatives = pairs(z, target)
    costs = []
    for a, p in [(anchor, p) for anchor in positives for p in positives[anchor] if negatives[anchor]]:
        farther = [d[a][q] for q in negatives[a] if d[a][q] > d[a][p]]
        chosen = min(farther) if farther else max(d[a][q] for q in negatives[a])
        costs.append(max(0.0, d[a][p] - chosen + margin))
    return costs


def hard(z, target, margin):
    d, positives, negatives = pairs(z, target)
    anchors = [a for a in positives if positives[a] and negatives[a]]
    return [max(0.0, max(d[a][p] for p in positives[a]) - min(d[a][q] for q in negatives[a]) + margin) for a in anchors]


def every(z, target, margin):
    d, positives, negatives = pairs(z, target)
    triplets = ((a, p, q) for a in positives for p, q in itertools.product(positives[a], negatives[a]))
    return [cost for a, p, q in triplets if (cost := d[a][p] - d[a][q] + margin) > 0]


def mean(costs):
    return sum(costs) / max(1, len(costs))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("mining", "by_loops"), [("semi_hard", semi_hard), ("hard", hard), ("all", every)])
def test_triplets_are_those_that_loops_find(mining, by_loops, seed):
    z, target = drawn(seed)
    z.requires_grad_()
    ours = triplet_loss(squared_distances(z, z), target[:, None] == target, 0.7, mining)
    assert ours.item() == pytest.approx(mean(by_loops(z, target, 0.7)), rel=1e-6)
    ours.backward()
    assert bool(z.grad.isfinite().all()) and z.grad.abs().sum() > 0


@pytest.mark.parametrize("mining", ["semi_hard", "hard", "all"])
@pytest.mark.parametrize("target", [[0, 0, 0, 0], [0, 1, 2, 3], [0]])
def test_where_there_are_no_triplets_nothing_is_learned(mining, target):
    z, target = torch.randn(len(target), 3, requires_grad=True), torch.tensor(target)
    loss = triplet_loss(squared_distances(z, z), target[:, None] == target, 0.2, mining)
    loss.backward()
    assert loss.item() == 0 and torch.equal(z.grad, torch.zeros_like(z))


def test_pairs_are_drawn_together_and_pushed_apart_up_to_a_margin():
    z, target = drawn(0)
    d, *_ = pairs(z, target)
    costs = []
    for i, j in itertools.combinations(range(len(z)), 2):
        distance = math.sqrt(d[i][j])
        costs.append((distance if target[i] == target[j] else max(0.0, 1.5 - distance)) ** 2 / 2)
    z[1] = z[0]  # a distance of nothing has a gradient, too
    z.requires_grad_()
    contrastive_loss(squared_distances(z, z), target[:, None] == target, 1.5).backward()
    assert bool(z.grad.isfinite().all())
    z, _ = drawn(0)
    assert contrastive_loss(squared_distances(z, z), target[:, None] == target, 1.5).item() == pytest.approx(
        mean(costs), rel=1e-6
    )


def by_loops(z, target, k):
    """Return recall at k and the mean average precision at R, as their definitions say."""
    recalls, precisions = [], []
    d, positives, _ = pairs(z, target)
    for a in (a for a in positives if positives[a]):
        order = sorted((i for i in range(len(z)) if i != a), key=lambda i: d[a][i])
        right = [target[i] == target[a] for i in order]
        size = len(positives[a])
        recalls.append(any(right[:k]))
        precisions.append(sum(sum(right[: i + 1]) / (i + 1) for i in range(size) if right[i]) / size)
    return mean(recalls), mean(precisions)


@pytest.mark.parametrize("k", [1, 3])
def test_retrieval_is_what_loops_find(k):
    z, target = drawn(7, n=30)
    target[0] = 9  # alone in its class
    found = retrieval_metrics(z, target, [k], 1)
    recall, precision = by_loops(z, target, k)
    assert found[f"recall_at_{k}"].item() == pytest.approx(float(recall))
    assert found["map_at_r"].item() == pytest.approx(float(precision))
    assert found["knn_accuracy"].item() == pytest.approx(float(by_loops(z, target, 1)[0]))


def test_neighbors_vote_as_scikit_learn_counts_them():
    z, target = drawn(3, n=60, classes=2)
    votes = []
    for i in range(len(z)):
        others = np.arange(len(z)) != i
        model = KNeighborsClassifier(5).fit(z.numpy()[others], target.numpy()[others])
        votes.append(model.predict(z.numpy()[i : i + 1])[0] == target[i].item())
    assert retrieval_metrics(z, target, [1], 5)["knn_accuracy"].item() == pytest.approx(np.mean(votes))


def test_classes_that_are_not_in_train_are_searched_among_one_another(tmp_path):
    holdout = [7, 8, 9]
    recipe = {
        "task": {"metric_learning": {"embedding_dim": 4, "recall_at": [1]}},
        "data": {"source": {"sklearn": "digits"}, "split": {"holdout_classes": [str(n) for n in holdout], "test": 0.2}},
        "model": {"mlp": [16]},
        "hardware": {"accelerator": "cpu", "num_threads": 1},
    }
    plan = make(LoadedRecipe(Recipe.model_validate(recipe), tmp_path))
    experiment = build(plan)
    with silence_lightning():
        found = build_trainer(plan).test(experiment.module, experiment.batches["test"], verbose=False)[0]
    assert {name.removeprefix("test/") for name in found} == set(plan.recipe.task.metric_names(plan.network_facts))
    with torch.no_grad():
        parts = [(experiment.module.embed(batch), batch["target"]) for batch in experiment.batches["test"]]
    z, target = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    for name, those in (("holdout_recall_at_1", np.isin(target, holdout)), ("recall_at_1", ~np.isin(target, holdout))):
        near = NearestNeighbors(n_neighbors=2).fit(z[those]).kneighbors(z[those], return_distance=False)[:, 1]
        right = np.mean(target[those][near] == target[those])
        assert found[f"test/{name}"] == pytest.approx(right, abs=0.011)  # where several are as near, one is taken


def test_samples_that_are_alone_in_their_class_are_no_queries():
    found = retrieval_metrics(torch.randn(3, 2), torch.arange(3), [1, 5], 5)
    assert {name: value.item() for name, value in found.items()} == {
        "recall_at_1": 0, "recall_at_5": 0, "knn_accuracy": 0, "map_at_r": 0
    }  # fmt: skip


def test_a_batch_has_so_many_samples_of_so_many_classes():
    classes = np.repeat(np.arange(6), [40, 30, 20, 10, 5, 3])
    batches = batch_by_class(classes, 12, 16, 4, seed=1, epoch=2)
    assert len(batches) == 12
    for batch in batches:
        found, counts = np.unique(classes[batch], return_counts=True)
        assert len(found) == 4 and len(np.unique(batch)) == len(batch)
        assert counts.tolist() == [3 if c == 5 else 4 for c in found]
        assert all(len(set(classes[batch][i : i + 3])) == 1 for i in range(0, len(batch) - 3, 4) if len(batch) == 16)
    again = batch_by_class(classes, 12, 16, 4, seed=1, epoch=2)
    other = batch_by_class(classes, 12, 16, 4, seed=1, epoch=3)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


def test_a_class_gives_all_its_samples_before_it_begins_again():
    classes = np.repeat(np.arange(2), [8, 8])
    batches = batch_by_class(classes, 2, 8, 4, seed=0, epoch=0)
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(16))


def test_the_measured_loss_counts_every_sample_the_same(monkeypatch):
    monkeypatch.setattr(metric_learning, "GROUP_SIZE", 4)
    z = torch.arange(6.0)[:, None]  # groups of 4 and of 2
    module = SimpleNamespace(pair_loss=lambda z_NE, target_N: z_NE.mean())
    found = metric_learning.MetricLearningModule._mean_loss(module, z, torch.zeros(6))
    assert found.item() == pytest.approx(z.mean().item())
