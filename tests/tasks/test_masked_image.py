"""Masked autoencoders: which patches are hidden, what the encoder sees of the rest, and the loss of hidden pixels."""

import numpy as np
import pytest
import torch
from kit import refusals
from targets import SGD, image_facts

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.models import Model
from dlx.tasks import Task
from dlx.tasks.masked_image.module import choose_visible, to_images, to_patches
from dlx.tensors import Stats, TensorSpec

IMAGE = TensorSpec((2, 8, 12), "CHW", stats=Stats((0.5, 0.5), (0.3, 0.3), (0.0, 0.0), (1.0, 1.0)))
FACTS = image_facts(IMAGE)
VIT = {"type": "vit", "patch_size": 4, "features": 8, "num_layers": 1, "num_heads": 2, "output": "steps"}
DECODER = {"type": "layers", "layers": [{"attention": {"num_heads": 2}}]}


def task(**fields):
    return Task.model_validate({"type": "masked_image", "mask_ratio": 0.5, "decoder_dim": 6, **fields})


def made(**fields):
    spec, models = task(**fields), {"encoder": VIT, "decoder": DECODER}
    torch.manual_seed(0)
    networks = {}
    for role, wanted in spec.roles(FACTS).items():
        networks[role] = spec.network(role, Model.model_validate(models[role]), FACTS).build(wanted.input)
    return spec.build(networks, FACTS, SGD)


def images(n=4):
    torch.manual_seed(1)
    return torch.rand(n, 2, 8, 12)


def test_patches_are_cut_row_by_row_and_joined_again():
    x = images()
    found = to_patches(x, 4)
    assert found.shape == (4, 6, 32)
    assert torch.equal(found[1, 4].view(2, 4, 4), x[1, :, 4:8, 4:8])
    assert torch.equal(to_images(found, 4, x), x)


def test_a_share_of_the_patches_is_hidden_evenly():
    visible, hidden = choose_visible(torch.rand(5000, 6), 4)
    assert visible.shape == (5000, 2) and (hidden.sum(1) == 4).all()
    assert not hidden.gather(1, visible).any()
    assert (hidden.float().mean(0) - 4 / 6).abs().max() < 0.03


def test_the_encoder_sees_nothing_of_hidden_patches():
    module, x = made().eval(), images()
    visible, hidden = choose_visible(torch.rand(4, 6), 3)
    changed = to_images(torch.where(hidden[..., None], torch.randn(4, 6, 32), to_patches(x, 4)), 4, x)
    assert not torch.equal(changed, x)
    assert torch.equal(module.decode(x, visible), module.decode(changed, visible))
    seen = to_images(torch.where(hidden[..., None], to_patches(x, 4), torch.randn(4, 6, 32)), 4, x)
    assert not torch.allclose(module.decode(x, visible), module.decode(seen, visible))


def test_only_visible_patches_are_computed():
    module, x = made().eval(), images()
    lengths = []
    module.networks["encoder"].body.blocks.register_forward_hook(lambda m, i, o: lengths.append(o.shape[1]))
    module.decode(x, choose_visible(torch.rand(4, 6), 4)[0])
    module.encoder(x)
    assert lengths == [2, 6]


def test_the_order_of_visible_patches_does_not_matter():
    module, x = made().eval(), images()
    visible, _ = choose_visible(torch.rand(4, 6), 3)
    assert torch.allclose(module.decode(x, visible), module.decode(x, visible.flip(1)), atol=1e-5)


@pytest.mark.parametrize("normalize", [False, True])
def test_the_loss_is_the_mean_square_of_hidden_pixels(normalize):
    module, x = made(norm_pix_loss=normalize).eval(), images()
    draws = torch.rand(4, 6)
    error, decoded, hidden = module.reconstruct(x, draws)
    for i in range(4):
        wanted = to_patches(x[i : i + 1], 4)[0][hidden[i]]
        if normalize:
            wanted = (wanted - wanted.mean(1, keepdim=True)) / (wanted.var(1, keepdim=True, correction=0) + 1e-6).sqrt()
        assert error[i].item() == pytest.approx((decoded[i][hidden[i]] - wanted).square().mean().item(), rel=1e-4)


def test_features_are_the_mean_over_all_patches():
    module, x = made().eval(), images()
    assert torch.allclose(module.encoder(x), module.networks["encoder"].body(x).mean(1), atol=1e-6)


def test_every_weight_learns():
    module = made()
    module.loss(module.prepare_step({"image": images(), "rows": torch.arange(4)})).backward()
    learning = {n for n, p in module.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert learning == {n for n, _ in module.named_parameters() if ".probe." not in n}


def test_a_classifier_of_patches_has_the_same_weights():
    apart, mean = (
        Model.model_validate({**VIT, "output": output}).tree(IMAGE).build(IMAGE) for output in ("steps", "mean")
    )
    assert {n: p.shape for n, p in apart.named_parameters()} == {n: p.shape for n, p in mean.named_parameters()}
    assert Model.model_validate({**VIT, "output": "mean"}).tree(IMAGE).shape(IMAGE).dims == (8,)


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({}, {**VIT, "output": "token"}),
        ({}, {**VIT, "patch_size": 2}),
        ({}, {"type": "layers", "layers": [{"patch_embedding": {"patch_size": 4, "features": 8}}]}),
    ],
    ids=["pooled", "other-patches", "hides-none"],
)
def test_an_encoder_that_keeps_or_hides_no_patches_is_refused(fields, model):
    with pytest.raises(ShapeError, match=r"features of 6 patches"):
        task(**fields).network("encoder", Model.model_validate(model), FACTS)


def test_what_cannot_be_hidden_is_refused():
    assert [e.loc for e in refusals(task(patch_size=5), FACTS)] == [("patch_size",)]
    assert [e.loc for e in refusals(task(mask_ratio=0.95), FACTS)] == [("mask_ratio",)]


def test_hidden_steps_are_filled_with_one_vector_in_their_places():
    spec = TensorSpec((5, 3), "TF")
    take, fill = (Layer.model_validate(name).build(spec) for name in ("keep_visible", "fill_mask_tokens"))
    x, visible = torch.randn(2, 5, 3), torch.tensor([[4, 0], [1, 2]])
    seen = take(x, {"visible": visible})
    assert torch.equal(seen[0], x[0, [4, 0]]) and torch.equal(take(x), x) and torch.equal(fill(x), x)
    whole = fill(seen, {"visible": visible})
    assert torch.equal(whole[0, [0, 4]], x[0, [0, 4]]) and torch.equal(whole[1, [1, 2]], x[1, [1, 2]])
    assert torch.equal(whole[0, 1], fill.token) and torch.equal(whole[1, 4], fill.token)
    with pytest.raises(ShapeError, match="known number"):
        Layer.model_validate("fill_mask_tokens").shape(TensorSpec((None, 3), "TF"))


def test_reconstructions_are_drawn(tmp_path):
    class Outputs:
        extras = {"reconstructions": np.random.default_rng(0).random((3, 8, 1, 8, 8))}

    (figure,) = task().figures(Outputs, FACTS).values()
    figure.savefig(tmp_path / "reconstructions.png")
