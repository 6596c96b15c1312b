"""Learning features without labels, against losses written out by hand, and what judges the features."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlx.errors import RecipeError
from dlx.facts import DataFacts
from dlx.models import Model
from dlx.optimizers import Optimizer
from dlx.schedules import Schedule
from dlx.tasks import Learning, Task
from dlx.tasks.rotation.module import turned
from dlx.tasks.simclr.module import nt_xent
from dlx.tensors import Stats, TensorSpec

IMAGE = TensorSpec((1, 4, 4), "CHW", stats=Stats((0.5,), (0.3,), (0.0,), (1.0,)))
FACTS = DataFacts(
    {"image": IMAGE, "target": TensorSpec((), "", "int64", vocab=(2,))},
    ("image",),
    "target",
    classes=("a", "b"),
    counts={"train": 9},
)
VIEWS = [{"gaussian_noise": {"p": 1.0}}]


def made(task):
    learning = Learning({"*": Optimizer.model_validate("sgd")}, {"*": Schedule.model_validate("constant")})
    task = Task.model_validate(task)
    tree = task.network("encoder", Model.model_validate({"mlp": {"hidden": [6]}}), FACTS)
    torch.manual_seed(0)
    return task.build({"encoder": tree.build(IMAGE)}, FACTS, learning)


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


def test_turns_are_quarters_counterclockwise():
    image = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    assert turned(image)[:, 0].tolist() == [
        [[1, 2], [3, 4]],
        [[2, 4], [1, 3]],
        [[4, 3], [2, 1]],
        [[3, 1], [4, 2]],
    ]


@pytest.mark.parametrize("task", [{"type": "simclr", "views": VIEWS}, {"type": "rotation"}])
def test_the_probe_sends_no_gradient_into_the_encoder(task):
    with_probe, without = made(task), made({**task, "probe": False})
    without.networks["encoder"].body.load_state_dict(with_probe.networks["encoder"].body.state_dict())
    without.networks["encoder"].heads.load_state_dict(with_probe.networks["encoder"].heads.state_dict(), strict=False)
    for module in (with_probe, without):
        torch.manual_seed(2)
        module.objective(batch()).backward()
    pairs = zip(
        with_probe.networks["encoder"].body.parameters(), without.networks["encoder"].body.parameters(), strict=True
    )
    assert all(torch.equal(a.grad, b.grad) and a.grad.abs().sum() > 0 for a, b in pairs)
    assert all(p.grad.abs().sum() > 0 for p in with_probe.head["probe"].parameters())


def test_the_probe_sees_a_share_of_labels_and_always_of_the_same_samples():
    module = made({"type": "rotation", "labels": 0.25})
    rows = torch.arange(1000)
    known = module._known({"target": torch.zeros(1000, dtype=torch.long), "rows": rows}) != -1
    again = module._known({"target": torch.zeros(500, dtype=torch.long), "rows": rows[500:]}) != -1
    assert known.float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.equal(known[500:], again)


def test_neighbours_vote_by_angle_among_what_was_kept_last():
    module = made({"type": "rotation", "neighbours": 3, "memory": 4})
    kept = torch.tensor(
        [[9.0, 9, 9, 9, 9, 9]] * 2
        + [[1.0, 0, 0, 0, 0, 0], [5.0, 1, 0, 0, 0, 0], [2.0, 0, 1, 0, 0, 0], [0, 1.0, 0, 0, 0, 0]]
    )
    module._keep(kept[:2], torch.tensor([1, 1]))
    module._keep(kept[2:], torch.tensor([0, 0, 1, 1]))
    assert sorted(module.classes_M.tolist()) == [0, 0, 1, 1]
    assert module.voted(torch.tensor([[7.0, 0, 0, 0, 0, 0]])).item() == 0
    assert torch.allclose(module.kept_MF.norm(dim=1), torch.ones(4))
    assert {"kept_MF", "classes_M", "next_place"} <= set(module.state_dict())


def test_a_view_is_of_the_range_of_the_data():
    module = made({"type": "simclr", "views": VIEWS})
    module.low, module.width = 2.0, 10.0
    seen = []
    module.changes = [lambda x, target: (seen.append(x) or x, target)]
    x = torch.tensor([2.0, 7.0, 12.0])
    assert torch.equal(module.changed(x), x) and seen[0].tolist() == [0.0, 0.5, 1.0]


def test_features_are_what_the_pool_gives():
    module = made({"type": "rotation"})
    module.networks["encoder"].body, images = nn.Identity(), batch()
    assert torch.equal(module.embed(images), module.networks["encoder"].pool(images["image"]))


def test_a_probe_needs_classes(tmp_path):
    from dlx.plan import make
    from dlx.recipe.load import Loaded
    from dlx.recipe.schema import Recipe

    recipe = {"task": "rotation", "data": {"source": {"sklearn": "iris"}}, "model": {"mlp": [4]}}
    with pytest.raises(RecipeError, match="rotation turns square images"):
        make(Loaded(Recipe.model_validate(recipe), tmp_path))
