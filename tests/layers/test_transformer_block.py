"""Transformer blocks, held against torch's own."""

import pytest
import torch
from torch import nn

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.models import Model
from dlx.nn.context import apply
from dlx.tensors import TensorSpec

X = TensorSpec((6, 8), "TF")


def built(spelling, x, family=Model):
    torch.manual_seed(0)
    tree = family.model_validate(spelling)
    return (tree.tree(x) if family is Model else tree).build(x).eval()


FEED = {"feed_forward": {"hidden": 20, "activation": "relu"}}


def copied(ours, theirs, attentions):
    """Give torch's layer the weights of our block; `attentions` names its attention for each part of ours."""
    with torch.no_grad():
        for part, name in attentions.items():
            mine, other = getattr(ours, part).layers.layer, getattr(theirs, name)
            state = mine.state_dict()
            for kind, target in (("weight", other.in_proj_weight), ("bias", other.in_proj_bias)):
                parts = [state[f"qkv.{kind}"]] if f"qkv.{kind}" in state else [state[f"q.{kind}"], state[f"kv.{kind}"]]
                target.copy_(torch.cat(parts))
            other.out_proj.load_state_dict(mine.out.state_dict())
    feed = ours.feed_forward.layers.layer
    theirs.linear1.load_state_dict(feed[0].state_dict())
    theirs.linear2.load_state_dict(feed[2].state_dict())
    for i, part in enumerate((*attentions, "feed_forward"), start=1):
        mine = getattr(ours, part)
        norm = mine.then if mine.then is not None else mine.layers.norm
        for parameter in norm.parameters():
            nn.init.normal_(parameter)
        getattr(theirs, f"norm{i}").load_state_dict(norm.state_dict())
    return theirs.eval()


@pytest.mark.parametrize("norm_first", [True, False])
def test_an_encoder_block_is_torchs(norm_first):
    block = {"attention": {"attention": 2}, "feed_forward": FEED, "norm_first": norm_first}
    ours = built({"transformer_block": block}, X, Layer)
    theirs = nn.TransformerEncoderLayer(8, 2, 20, activation="relu", batch_first=True, norm_first=norm_first)
    theirs = copied(ours, theirs, {"attention": "self_attn"})
    x, mask = torch.randn(3, 6, 8), torch.arange(6) < torch.tensor([[6], [3], [5]])
    expected = theirs.train()  # torch's fast path of evaluation zeroes padding
    for part in expected.modules():
        part.eval() if isinstance(part, nn.Dropout) else None
    expected.self_attn.dropout = 0.0
    torch.testing.assert_close(apply(ours, x, {"mask": mask}), expected(x, src_key_padding_mask=~mask))


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_block_is_torchs(norm_first):
    x_spec = X.replace(context={"memory": TensorSpec((4, 8), "TF")})
    block = {
        "attention": {"attention": {"num_heads": 2, "causal": True}},
        "cross_attention": {"attention": {"num_heads": 2, "memory": "memory"}},
        "feed_forward": FEED,
        "norm_first": norm_first,
    }
    ours = built({"transformer_block": block}, x_spec, Layer)
    theirs = nn.TransformerDecoderLayer(8, 2, 20, activation="relu", batch_first=True, norm_first=norm_first)
    theirs = copied(ours, theirs, {"attention": "self_attn", "cross_attention": "multihead_attn"})
    x, memory = torch.randn(3, 6, 8), torch.randn(3, 4, 8)
    mask = torch.arange(4) < torch.tensor([[4], [1], [2]])
    later = torch.ones(6, 6, dtype=torch.bool).triu(1)
    expected = theirs(x, memory, tgt_mask=later, memory_key_padding_mask=~mask)
    torch.testing.assert_close(apply(ours, x, {"memory": memory, "memory_mask": mask}), expected)


def test_a_branch_of_a_block_keeps_the_shape():
    for wrong, message in (({"linear": 3}, "6 × 8 becomes 6 × 3"), ({"attention": 3}, "3 heads do not divide 8")):
        block = {"transformer_block": {"attention": {"attention": 2}, "feed_forward": wrong}}
        with pytest.raises(ShapeError, match=message) as error:
            Layer.model_validate([block]).shape(X)
        assert error.value.loc == ("layers", 0, "feed_forward")


def test_dropout_and_drop_path_of_a_block_act_in_training():
    x = torch.randn(64, 6, 8)
    for field in ("dropout", "drop_path"):
        block = {"attention": {"attention": 2}, "feed_forward": FEED, field: 0.5}
        module = built({"transformer_block": block}, X, Layer)
        assert torch.equal(module(x), module(x))
        assert not torch.equal(module.train()(x), module(x))


def test_a_gate_multiplies_two_maps():
    feed = {"feed_forward": {"hidden": 12, "activation": "silu", "gated": True, "bias": False}}
    module, x = built(feed, X, Layer), torch.randn(2, 6, 8)
    first, second, back = (p.detach() for p in module.parameters())
    expected = (nn.functional.silu(x @ first.T) * (x @ second.T)) @ back.T
    torch.testing.assert_close(module(x), expected)
