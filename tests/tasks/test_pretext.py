"""Pretext tasks: rotations of images, tiles and where they lie, and permutations that are far from one another."""

import itertools

import numpy as np
import pytest
import torch
from kit import refusals
from targets import SGD, image_facts

from dlx.errors import ShapeError
from dlx.models import Model
from dlx.tasks import Task
from dlx.tasks._ssl.tiles import cut_tiles, place_tiles
from dlx.tasks.jigsaw.module import permutations
from dlx.tensors import Stats, TensorSpec

IMAGE = TensorSpec((1, 9, 9), "CHW", stats=Stats((0.5,), (0.3,), (0.0,), (81.0,)))
FACTS = image_facts(IMAGE)
CONVS = {"type": "layers", "layers": [{"conv": {"channels": 4, "kernel": 3, "padding": "same"}}, "relu"]}
PRETEXTS = [{"type": "rotation"}, {"type": "jigsaw", "permutations": 5}, {"type": "relative_patch"}]


def made(task, model=CONVS):
    task = Task.model_validate(task)
    tree = task.network("encoder", Model.model_validate(model), FACTS)
    torch.manual_seed(0)
    return task.build({"encoder": tree.build(IMAGE)}, FACTS, SGD)


def numbered(n=2):
    """Images whose pixels are numbered row by row."""
    return torch.arange(81.0).view(1, 1, 9, 9).repeat(n, 1, 1, 1) + 100 * torch.arange(n).view(-1, 1, 1, 1)


def batch(n=8):
    torch.manual_seed(1)
    return {"image": torch.rand(n, 1, 9, 9), "target": torch.arange(n) % 2, "rows": torch.arange(n)}


# -- tiles ----------------------------------------------------------------------------------------------------------


def test_tiles_are_the_cells_row_by_row():
    found = cut_tiles(numbered(), 3, 0, torch.rand(2, 18))
    assert found.shape == (2, 9, 1, 3, 3)
    assert found[1, 5, 0].tolist() == [[133, 134, 135], [142, 143, 144], [151, 152, 153]]
    again = place_tiles(found, torch.arange(9).expand(2, -1), torch.zeros(2, 1, 9, 9), 3)
    assert torch.equal(again, numbered())


def test_smaller_tiles_lie_anywhere_in_their_cells():
    draws = torch.zeros(1, 18)
    assert cut_tiles(numbered(1), 3, 1, draws)[0, 4, 0].tolist() == [[30, 31], [39, 40]]
    draws[0, 8] = draws[0, 9] = 0.99
    assert cut_tiles(numbered(1), 3, 1, draws)[0, 4, 0].tolist() == [[40, 41], [49, 50]]
    corners = cut_tiles(numbered(1).repeat(4000, 1, 1, 1), 3, 1, torch.rand(4000, 18))[:, 4, 0, 0, 0]
    where, counts = corners.unique(return_counts=True)
    assert where.tolist() == [30, 31, 39, 40] and counts.min() > 800


# -- permutations ---------------------------------------------------------------------------------------------------


def test_permutations_are_far_from_one_another():
    chosen = np.array(permutations(100, 9))
    assert len({tuple(p) for p in chosen}) == 100 and chosen[0].tolist() == list(range(9))
    assert (np.sort(chosen, axis=1) == np.arange(9)).all()
    distances = [(a != b).sum() for a, b in itertools.combinations(chosen, 2)]
    drawn = np.random.default_rng(0).permuted(np.tile(np.arange(9), (100, 1)), axis=1)
    assert min(distances) > min((a != b).sum() for a, b in itertools.combinations(drawn, 2))
    assert min(distances) >= 6


def test_each_permutation_is_the_farthest_from_those_before_it():
    for count in range(2, 9):
        *before, last = permutations(count, 4)
        best = max(min(_distance(p, q) for q in before) for p in itertools.permutations(range(4)) if p not in before)
        assert min(_distance(last, q) for q in before) == best


def _distance(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


# -- examples -------------------------------------------------------------------------------------------------------


def test_tiles_are_placed_into_a_copy():
    empty, tile = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 1, 2, 2)
    placed = place_tiles(tile, torch.tensor([[3]]), empty, grid=2)
    assert placed[0, 0, 2:, 2:].eq(1).all() and placed.sum() == 4 and not empty.any()


def test_tiles_are_shuffled_as_the_label_says():
    module = made({"type": "jigsaw", "permutations": 5, "gap": 0})
    draws = torch.rand(50, module.num_draws)
    examples = module.examples(numbered(50), draws)
    order = permutations(5, 9)
    assert set(examples.labels.tolist()) == set(range(5))
    for i, label in enumerate(examples.labels.tolist()):
        cells = [int(tile[0, 0, 0] - 100 * i) for tile in examples.pieces[i]]
        assert cells == [27 * (cell // 3) + 3 * (cell % 3) for cell in order[label]]
    shuffled, solved = module.visualize(examples, examples.labels, numbered(50))
    assert torch.equal(solved, numbered(50))
    assert torch.equal(shuffled[examples.labels == 0], numbered(50)[examples.labels == 0])


def test_a_patch_lies_where_the_label_says():
    module = made({"type": "relative_patch", "gap": 0})
    examples = module.examples(numbered(80), torch.rand(80, module.num_draws))
    offsets = {0: (-3, -3), 1: (-3, 0), 2: (-3, 3), 3: (0, -3), 4: (0, 3), 5: (3, -3), 6: (3, 0), 7: (3, 3)}
    assert set(examples.labels.tolist()) == set(offsets)
    for pieces, label in zip(examples.pieces, examples.labels.tolist(), strict=True):
        down, right = offsets[label]
        assert (pieces[1] - pieces[0] == 9 * down + right).all()
    one, other = module.visualize(examples, examples.labels, numbered(80))
    assert torch.equal(one, other) and (one == numbered(80)).sum() == 80 * 18


def test_a_rotated_image_is_rotated_back():
    module = made({"type": "rotation"})
    examples = module.examples(numbered(3), torch.rand(3, 1))
    assert examples.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    _, back = module.visualize(examples, examples.labels, numbered(3))
    assert torch.equal(back, numbered(3).repeat(4, 1, 1, 1))


@pytest.mark.parametrize("task", PRETEXTS, ids=lambda t: t["type"])
def test_the_head_sees_the_features_of_all_pieces_side_by_side(task):
    module = made(task)
    examples = module.examples(batch()["image"], torch.rand(8, module.num_draws))
    logits = module.logits(examples)
    each = torch.stack([module.encoder(examples.pieces[:, g]) for g in range(examples.pieces.shape[1])], 1)
    assert torch.allclose(logits, module.encoder.heads["pretext"].classifier(each.flatten(1)), atol=1e-5)
    assert logits.shape == (len(examples.labels), Task.model_validate(task).num_labels)


@pytest.mark.parametrize("task", PRETEXTS, ids=lambda t: t["type"])
def test_the_probe_sends_no_gradient_into_the_encoder(task):
    module = made(task)
    prepared = module.prepare_step(batch())
    (module.loss(prepared) + module.penalty(prepared, "encoder")).backward()
    first = [p.grad.clone() for p in module.networks["encoder"].body.parameters()]
    module.zero_grad()
    module.loss(prepared).backward()
    assert all(torch.equal(a, p.grad) for a, p in zip(first, module.networks["encoder"].body.parameters(), strict=True))
    assert all(g.abs().sum() > 0 for g in first)


def test_a_network_that_cannot_see_tiles_is_refused():
    task = Task.model_validate({"type": "jigsaw"})
    with pytest.raises(ShapeError, match="let the model end in maps"):
        task.network("encoder", Model.model_validate({"mlp": {"hidden": [6]}}), FACTS)
    (problem,) = refusals(Task.model_validate({"type": "jigsaw", "gap": 3}), FACTS)
    assert problem.loc == ("gap",) and "nothing is left" in problem.message


def test_examples_are_drawn(tmp_path):
    task = Task.model_validate({"type": "jigsaw"})

    class Outputs:
        extras = {"examples": np.random.default_rng(0).random((3, 8, 1, 9, 9))}

    (figure,) = task.figures(Outputs, FACTS).values()
    figure.savefig(tmp_path / "examples.png")
    assert task.figures(type("Nothing", (), {"extras": {}}), FACTS) == {}
