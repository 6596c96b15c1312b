"""A mixture of experts, held against its formula."""

import pytest
import torch
from torch import nn

from dlx.layers import Layer
from dlx.models import Model, initialize
from dlx.nn.context import apply
from dlx.tensors import TensorSpec

X = TensorSpec((6, 8), "TF")


def built(spelling, x, family=Model):
    torch.manual_seed(0)
    tree = family.model_validate(spelling)
    return (tree.tree(x) if family is Model else tree).build(x).eval()


def experts(x=X, **fields):
    fields = {"num_experts": 4, "top_k": 2, "expert": {"feed_forward": 12}, **fields}
    return built({"mixture_of_experts": fields}, x, Layer)


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_a_mixture_is_the_weighted_sum_of_the_most_probable(top_k):
    module, x = experts(top_k=top_k), torch.randn(2, 6, 8)
    y = module(x)
    for b in range(2):
        for t in range(6):
            probabilities = module.router(x[b, t]).softmax(0).tolist()
            chosen = sorted(range(4), key=lambda i: -probabilities[i])[:top_k]
            total = sum(probabilities[i] for i in chosen) if top_k > 1 else 1.0
            expected = sum(probabilities[i] / total * module.experts[i](x[b, t]) for i in chosen)
            torch.testing.assert_close(y[b, t], expected)


def test_the_router_starts_as_the_recipe_says():
    layer = Layer.model_validate({"mixture_of_experts": {"expert": {"linear": 8}, "init": {"constant": 0.5}}})
    module = layer.build(X)
    initialize(module, layer, X, None)
    assert all((m.weight == 0.5).all() for m in (module.router, *module.experts))


def test_balance_is_least_where_experts_are_evenly_used():
    module = experts(top_k=1, load_balancing=0.5, num_experts=2)
    even, one_sided = torch.tensor([[4.0, 0.0], [0.0, 4.0]]), torch.tensor([[4.0, 0.0], [4.0, 0.0]])
    with torch.no_grad():
        module.router.weight.zero_()
        module.router.weight[:, :2] = torch.eye(2)
    losses = []
    for rows in (even, one_sided):
        x = torch.zeros(1, 2, 8)
        x[0, :, :2] = rows
        module(x)
        losses.append(module.auxiliary_loss.item())
    likely = torch.tensor([4.0, 0.0]).softmax(0)[0].item()
    assert losses == pytest.approx([0.5, 0.5 * 2 * likely])


def test_padding_is_not_counted_among_the_choices():
    module, x = experts(), torch.randn(2, 6, 8)
    mask = torch.arange(6) < torch.tensor([[6], [2]])
    apply(module, x, {"mask": mask})
    padded = module.auxiliary_loss
    module(torch.cat([x[0], x[1, :2]])[None])
    torch.testing.assert_close(padded, module.auxiliary_loss)


def test_every_expert_gets_a_gradient_though_none_chose_it():
    module = experts(num_experts=8, top_k=1)
    module(torch.randn(1, 1, 8)).sum().backward()
    assert all(p.grad is not None for p in module.experts.parameters())


def test_noisy_gating_adds_noise_of_a_learned_size_in_training_alone():
    module, x = experts(noisy_gating=True), torch.randn(4000, 8)
    with torch.no_grad():
        nn.init.normal_(module.noise.weight)
    clean = x @ module.router.weight.T
    torch.testing.assert_close(module.logits(x), clean)
    noise = (module.train().logits(x) - clean) / torch.log1p((x @ module.noise.weight.T).exp())
    assert noise.mean().item() == pytest.approx(0, abs=0.02)
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    assert torch.corrcoef(noise.T).fill_diagonal_(0).abs().max() < 0.06


def test_the_gate_of_noise_is_counted_and_starts_at_zero():
    layer = Layer.model_validate({"mixture_of_experts": {"expert": {"linear": 8}, "noisy_gating": True}})
    module = layer.build(X)
    assert layer.cost(X).parameters == sum(p.numel() for p in module.parameters())
    assert not module.noise.weight.any()
    module(torch.randn(2, 6, 8)).square().sum().backward()
    assert module.noise.weight.grad.abs().sum() > 0
