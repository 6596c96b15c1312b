"""Learning features without labels, against losses written out by hand, and linear probes of the features."""

import math
from dataclasses import replace

import pytest
import torch
from kit import refusals
from targets import SGD, image_facts
from torch import nn
from torch.nn import functional as F

from dlx.errors import RecipeError
from dlx.facts import DataFacts
from dlx.models import Model
from dlx.plan import make
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.recipe import Recipe
from dlx.tasks import Task
from dlx.tasks._ssl.siamese import PredictionHead, projection_std
from dlx.tasks._ssl.views_module import contrastive_accuracy
from dlx.tasks.byol.module import momentum_at
from dlx.tasks.moco.module import info_nce
from dlx.tasks.rotation.module import rotations
from dlx.tasks.simclr.module import nt_xent
from dlx.tensors import Stats, TensorSpec

IMAGE = TensorSpec((1, 4, 4), "CHW", stats=Stats((0.5,), (0.3,), (0.0,), (1.0,)))
FACTS = image_facts(IMAGE)
VIEWS = [{"random_gaussian_noise": {"p": 1.0}}]
NO_PROBE = {"linear_probe": False}


def made(task):
    task = Task.model_validate(task)
    tree = task.network("encoder", Model.model_validate({"mlp": {"hidden": [6]}}), FACTS)
    torch.manual_seed(0)
    return task.build({"encoder": tree.build(IMAGE)}, FACTS, SGD)


def batch(n=8):
    torch.manual_seed(1)
    return {"image": torch.rand(n, 1, 4, 4), "target": torch.arange(n) % 2, "rows": torch.arange(n)}


def test_nt_xent_is_the_sum_over_pairs():
    one, other, temperature = torch.randn(3, 5), torch.randn(3, 5), 0.4
    views = [*one, *other]
    total = 0.0
    for i, view in enumerate(views):
        scores = [math.exp(F.cosine_similarity(view, v, dim=0).item() / temperature) for v in views]
        total -= math.log(scores[(i + 3) % 6] / (sum(scores) - scores[i]))
    assert nt_xent(one, other, temperature).item() == pytest.approx(total / 6, rel=1e-5)


def test_nt_xent_of_views_that_are_all_alike_is_chance():
    same = torch.ones(4, 5)
    assert nt_xent(same, same, 0.5).item() == pytest.approx(math.log(7))


@pytest.mark.parametrize("temperature", [0.1, 2.0])
def test_simclr_compares_projections_at_its_temperature(temperature):
    module = made({"type": "simclr", "temperature": temperature, "views": VIEWS, "evaluate": NO_PROBE})
    one, other = torch.rand(2, 4, 1, 4, 4)
    expected = nt_xent(module.project(one), module.project(other), temperature)
    assert module.view_loss(one, other).item() == pytest.approx(expected.item(), rel=1e-5)


def test_rotations_are_quarters_counterclockwise():
    image = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    assert rotations(image)[:, 0].tolist() == [
        [[1, 2], [3, 4]],
        [[2, 4], [1, 3]],
        [[4, 3], [2, 1]],
        [[3, 1], [4, 2]],
    ]


@pytest.mark.parametrize("task", [{"type": name} for name in ("simclr", "rotation", "moco", "byol", "simsiam")])
def test_the_probe_sends_no_gradient_into_the_encoder(task):
    with_probe, without = made({**task, "evaluate": {"untrained_probe": True}}), made({**task, "evaluate": NO_PROBE})
    without.networks["encoder"].body.load_state_dict(with_probe.networks["encoder"].body.state_dict())
    without.networks["encoder"].heads.load_state_dict(with_probe.networks["encoder"].heads.state_dict(), strict=False)
    seen = {"probe": torch.rand(8, 6), "untrained_probe": torch.rand(8, 6), "classes": torch.arange(8) % 2}
    with_probe.probe.bank.enqueue(seen)
    for module in (with_probe, without):
        start_alike(module, with_probe)
        torch.manual_seed(2)
        prepared = module.prepare_step(batch())
        (module.loss(prepared) + module.penalty(prepared, "encoder")).backward()
    pairs = zip(
        with_probe.networks["encoder"].body.parameters(), without.networks["encoder"].body.parameters(), strict=True
    )
    assert all(torch.equal(a.grad, b.grad) and a.grad.abs().sum() > 0 for a, b in pairs)
    for probe in ("probe", "untrained_probe"):
        assert all(p.grad.abs().sum() > 0 for p in with_probe.encoder.heads[probe].parameters())
    assert all(p.grad is None for p in with_probe.probe.untrained.parameters())


def start_alike(module, other):
    """Give a module the momentum encoder and the queue of another."""
    for name in ("momentum_encoder", "queue"):
        if hasattr(other, name):
            getattr(module, name).load_state_dict(getattr(other, name).state_dict())


def test_the_probe_sees_a_share_of_labels_and_always_of_the_same_samples():
    module = made({"type": "rotation", "evaluate": {"label_fraction": 0.25}})
    rows = torch.arange(1000)
    known = module.probe.visible_classes({"target": torch.zeros(1000, dtype=torch.long), "rows": rows}) != -1
    again = module.probe.visible_classes({"target": torch.zeros(500, dtype=torch.long), "rows": rows[500:]}) != -1
    assert known.float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.equal(known[500:], again)


def test_neighbors_vote_by_cosine_similarity_among_the_last_features(monkeypatch):
    module = made({"type": "rotation", "evaluate": {"knn_neighbors": 3, "memory_bank": 4}})
    features = torch.tensor(
        [[9.0, 9, 9, 9, 9, 9]] * 2
        + [[1.0, 0, 0, 0, 0, 0], [5.0, 1, 0, 0, 0, 0], [2.0, 0, 1, 0, 0, 0], [0, 1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0]]
    )
    classes = torch.tensor([1, 1, 0, 0, 1, 1, -1])
    probe = module.probe
    monkeypatch.setattr(probe, "visible_classes", lambda batch: batch["target"])
    monkeypatch.setattr(probe.encoder, "evaluate", lambda x: x)
    for part in (slice(0, 2), slice(2, 7)):
        probe.add_to_bank(features[part], {"target": classes[part]})
    assert sorted(probe.bank.classes.tolist()) == [0, 0, 1, 1]
    assert probe.predict_knn(torch.tensor([[7.0, 0, 0, 0, 0, 0]])).item() == 0
    assert {"probe.bank.probe", "probe.bank.classes", "probe.bank.place"} <= set(module.state_dict())


def test_the_untrained_encoder_stays_as_it_was_and_both_probes_see_the_same_samples():
    module, images = made({"type": "simclr", "views": VIEWS, "evaluate": {"untrained_probe": True}}), batch()
    before = module.encoder(images["image"])
    with torch.no_grad():
        for p in module.networks["encoder"].body.parameters():
            p.add_(0.1)
    module.probe.add_to_bank(images["image"], images)
    bank = module.probe.bank
    assert torch.equal(bank.untrained_probe[:8], before)
    assert torch.equal(bank.probe[:8], module.encoder(images["image"]))
    assert bank.classes.tolist() == [*images["target"].tolist(), -1]
    assert not torch.equal(bank.untrained_probe, bank.probe)


def test_the_queue_takes_the_keys_of_a_batch_however_often_they_were_made():
    module = made({"type": "moco", "queue_size": 5, "projection_dim": 2, "evaluate": NO_PROBE})
    for part in ([9.0, 9.0], [9.0], [1.0, 2.0], [3.0]):  # a closure that was evaluated twice, each in two micro-batches
        module._new_keys.append(torch.tensor(part)[:, None].expand(-1, 2))
    module.after_step({"rows": torch.arange(3), "image": torch.rand(3, 1, 4, 4)})
    assert module.queue.keys_QP[:3, 0].tolist() == [1.0, 2.0, 3.0] and module._new_keys == []


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))
    return dot / math.sqrt(sum(x * x for x in a.tolist()) * sum(y * y for y in b.tolist()))


def test_info_nce_is_the_sum_over_queries():
    query, key, others = (F.normalize(torch.randn(n, 5), dim=1) for n in (3, 3, 7))
    total = 0.0
    for q, k in zip(query, key, strict=True):
        own = math.exp(cosine(q, k) / 0.3)
        total -= math.log(own / (own + sum(math.exp(cosine(q, other) / 0.3) for other in others)))
    assert info_nce(query, key, others, 0.3).item() == pytest.approx(total / 3, rel=1e-5)


def test_moco_compares_queries_with_keys_of_the_momentum_encoder_and_queues_them():
    module = made({"type": "moco", "queue_size": 20, "temperature": 0.5, "views": VIEWS, "evaluate": NO_PROBE}).double()
    with torch.no_grad():
        for p in module.momentum_encoder.parameters():
            p.add_(0.1)
    one, other = torch.rand(4, 1, 4, 4).double(), torch.rand(4, 1, 4, 4).double()
    queue, total = module.queue.keys_QP.clone(), 0.0
    query, key = module.projector(module.encoder(one)), module.momentum_encoder(other)
    for q, k in zip(query, key, strict=True):
        own = math.exp(cosine(q, k) / 0.5)
        total -= math.log(own / (own + sum(math.exp(cosine(q, k) / 0.5) for k in queue)))
    assert module.view_loss(one, other).item() == pytest.approx(total / 4, rel=1e-6)
    before, weights = (
        [p.clone() for p in ps]
        for ps in (module.momentum_encoder.parameters(), nn.Sequential(*module.projection_layers).parameters())
    )
    module.after_step({"rows": torch.arange(4), "image": one})
    assert torch.allclose(module.queue.keys_QP[:4], F.normalize(key, dim=1)) and torch.equal(
        module.queue.keys_QP[4:], queue[4:]
    )
    for old, weight, new in zip(before, weights, module.momentum_encoder.parameters(), strict=True):
        assert torch.allclose(new, 0.999 * old + 0.001 * weight)


def both_ways(module, one, other, targets):
    """Return the mean cosine between the prediction of each view and the target of the other, by loops."""
    network = nn.Sequential(*module.projection_layers, PredictionHead(module.encoder).predictor)
    predicted = network(torch.cat([one, other]))
    wanted = torch.cat([targets[len(one) :], targets[: len(one)]])
    return sum(cosine(p, t) for p, t in zip(predicted, wanted, strict=True)) / len(wanted)


def test_byol_predicts_what_the_momentum_encoder_projects():
    module = made({"type": "byol", "views": VIEWS}).double()
    with torch.no_grad():
        for p in module.momentum_encoder.parameters():
            p.mul_(1.5).add_(0.1)
    one, other = torch.rand(5, 1, 4, 4).double(), torch.rand(5, 1, 4, 4).double()
    mean = both_ways(module, one, other, module.momentum_encoder(torch.cat([one, other])))
    loss = module.view_loss(one, other)
    assert loss.item() == pytest.approx((2 - 2 * mean) * 2, rel=1e-6)
    loss.backward()
    assert all(p.grad is None for p in module.momentum_encoder.parameters())


def test_the_momentum_of_byol_rises_to_one():
    assert [momentum_at(0.9, step, 100) for step in (0, 50, 100)] == pytest.approx([0.9, 0.95, 1.0])


def test_simsiam_takes_what_it_predicts_as_given():
    module = made({"type": "simsiam", "views": VIEWS}).double()
    free = made({"type": "simsiam", "views": VIEWS, "stop_gradient": False}).double()
    one, other = torch.rand(5, 1, 4, 4).double(), torch.rand(5, 1, 4, 4).double()
    given = nn.Sequential(*module.projection_layers)(torch.cat([one, other])).detach()
    loss = module.view_loss(one, other)
    assert loss.item() == pytest.approx(-both_ways(module, one, other, given), rel=1e-6)
    loss.backward()
    ours = [p.grad.clone() for p in module.networks["encoder"].body.parameters()]
    module.zero_grad()
    predicted = PredictionHead(module.encoder).predictor(
        nn.Sequential(*module.projection_layers)(torch.cat([one, other]))
    )
    (-F.cosine_similarity(predicted, given.roll(5, 0)).mean()).backward()
    theirs = [p.grad for p in module.networks["encoder"].body.parameters()]
    assert all(torch.allclose(a, b) and a.abs().sum() > 0 for a, b in zip(ours, theirs, strict=True))
    free.view_loss(one, other).backward()
    freely = [p.grad for p in free.networks["encoder"].body.parameters()]
    assert not any(torch.allclose(a, b) for a, b in zip(ours, freely, strict=True))


def test_projection_std_is_one_in_all_directions_and_0_where_all_are_alike():
    torch.manual_seed(0)
    assert projection_std(torch.randn(4000, 16)).item() == pytest.approx(1, abs=0.01)
    assert projection_std(torch.ones(10, 16) * torch.rand(10, 1)).item() == pytest.approx(0, abs=1e-5)


def test_contrastive_accuracy_is_how_often_the_twin_is_nearest_of_all_others():
    torch.manual_seed(0)
    one = torch.randn(6, 3)
    other = one + torch.randn(6, 3)
    views, found = [*one, *other], 0
    for i, view in enumerate(views):
        near = {j: cosine(view, v) for j, v in enumerate(views) if j != i}
        found += max(near, key=near.get) == (i + 6) % 12
    assert 0 < found < 12
    assert contrastive_accuracy(one, other).item() == pytest.approx(found / 12)
    assert contrastive_accuracy(one, 3 * one).item() == 1


def test_a_probe_leaves_the_encoder_as_it_was():
    module, seen = made({"type": "simclr", "views": VIEWS}), []
    frozen, norm = nn.BatchNorm1d(6), nn.BatchNorm1d(6)
    module.networks["encoder"].body.extend([frozen, norm])
    for layer in (frozen, norm):
        layer.register_forward_hook(lambda layer, *_: seen.append((layer.training, bool(layer.running_mean.any()))))
    module.train()
    frozen.eval()  # as batch norm may be within a network that learns
    module.probe.add_to_bank(batch()["image"], batch())
    assert seen == [(False, False)] * 2 and (norm.training, frozen.training) == (True, False)


def test_a_view_is_of_the_range_of_the_data():
    module = made({"type": "simclr", "views": VIEWS})
    module.low, module.width = 2.0, 10.0
    seen = []
    module.augmentations = [lambda x, target: (seen.append(x) or x, target)]
    x = torch.tensor([2.0, 7.0, 12.0])
    assert torch.equal(module.view(x), x) and seen[0].tolist() == [0.0, 0.5, 1.0]


def test_features_are_what_the_pool_gives():
    module = made({"type": "rotation"})
    module.networks["encoder"].body, images = nn.Identity(), batch()
    assert torch.equal(module.embed(images), module.networks["encoder"].pool(images["image"]))


def test_rotation_refuses_an_image_that_is_wider_than_high():
    wide = replace(FACTS, fields={**FACTS.fields, "image": IMAGE.replace(dims=(1, 4, 5))})
    assert refusals(Task.model_validate("rotation"), wide) and not refusals(Task.model_validate("rotation"), FACTS)


def test_rotation_needs_square_images(tmp_path):
    recipe = {"task": "rotation", "data": {"source": {"sklearn": "iris"}}, "model": {"mlp": [4]}}
    with pytest.raises(RecipeError, match="rotation rotates square images"):
        make(LoadedRecipe(Recipe.model_validate(recipe), tmp_path))


def test_a_probe_needs_classes():
    (problem,) = refusals(Task.model_validate("simclr"), DataFacts({"image": IMAGE}, ("image",)))
    assert problem.loc == ("evaluate", "linear_probe")
