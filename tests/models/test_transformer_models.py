"""Transformers as models: heads, weight tying, initialization, and the layers that they write out."""

import pytest
import torch
from text_inputs import DECODERS, SMALL, build_model, decoder_inputs, pair, random_tokens, tokens
from torch import nn

from dlx.component import leaf_class
from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer, walk
from dlx.models import Model, initialize
from dlx.regularizers import Regularizer
from dlx.tasks import Task
from dlx.tensors import TensorSpec

IMAGE = TensorSpec((3, 224, 224), "CHW")


@pytest.mark.parametrize(
    ("model", "x", "norm_first"),
    [
        ("gpt", tokens(8, 11), True),
        ("vit", TensorSpec((3, 32, 32), "CHW"), True),
        ("bert", tokens(8, 11), False),
        ("t5", pair(11), True),
        ("transformer", pair(11), False),
        ({"type": "transformer", "norm_first": True}, pair(11), True),
    ],
)
def test_blocks_of_each_model_are_normalized_where_its_paper_does_it(model, x, norm_first):
    tree = Model.model_validate(model).tree(x)
    found = {layer.norm_first for _, layer, _ in walk(tree, x) if hasattr(layer, "norm_first")}
    assert found == {norm_first}


def test_a_tied_table_serves_both_ends():
    module = build_model({"tied_embedding": {"features": 4, "layers": ["relu"], "bias": True}}, tokens(5, 9), Layer)
    x, table = random_tokens(5, 9), module.embedding.weight
    assert sum(p.numel() for p in module.parameters()) == 9 * 4 + 9
    torch.testing.assert_close(module(x), table[x].relu() @ table.T + module.bias)
    with pytest.raises(ShapeError, match="must end in the table's 4 features"):
        Layer.model_validate({"tied_embedding": {"features": 4, "layers": [{"linear": 3}]}}).shape(tokens(5, 9))


def test_the_regularizers_of_depth_and_dropout_reach_the_blocks():
    tree = Model.model_validate({"type": "gpt", **SMALL}).tree(tokens(6, 11))
    dropped = Regularizer.model_validate({"dropout": 0.3}).rewrite_layers(tree).build(tokens(6, 11))
    assert [m.p for m in dropped.modules() if isinstance(m, nn.Dropout)] == [0.3] * 4
    shorter = Regularizer.model_validate({"stochastic_depth": 0.2}).rewrite_layers(tree).build(tokens(6, 11))
    assert {m.drop_path for m in shorter.modules() if hasattr(m, "drop_path")} == {0.2}


def test_only_what_scores_words_has_a_head():
    assert [Model.model_validate({"type": name}).has_head for name in ("gpt", "t5", "transformer", "vit", "bert")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert not Model.model_validate({"type": "gpt", "tie_word_embeddings": False}).has_head


@pytest.mark.parametrize("tie", [True, False])
def test_layers_that_score_words_get_no_second_head(tie):
    written = leaf_class("models", "gpt")(num_layers=1, tie_word_embeddings=tie).architecture(tokens(4, 9))
    nested = [{"whole": written}]
    assert [Model.model_validate({"type": "layers", "layers": w}).has_head for w in (written, nested)] == [tie, tie]


@pytest.mark.parametrize(("model", "x"), [("gpt", IMAGE), ("vit", tokens(5, 9)), ("t5", tokens(5, 9))])
def test_a_model_says_what_it_reads(model, x):
    with pytest.raises(ShapeError, match=r"takes axes|reads the fields source and target"):
        Model.model_validate(model).tree(x).shape(x)


def test_defaults_are_left_out_of_what_is_written():
    (tied,) = leaf_class("models", "gpt")(num_layers=1, scale_init=False).architecture(tokens(4, 9))
    block = tied["tied_embedding"]["layers"][1]["blocks"]
    assert block["repeat"]["layer"]["transformer_block"]["attention"] == {
        "attention": {"num_heads": 12, "causal": True}
    }


def test_texts_of_varying_length_are_planned_and_run():
    varying = TensorSpec((None,), "T", "int64", (11,))
    both = {"source": varying, "target": varying}
    for spelling, x in (({"type": "gpt", **SMALL, "max_length": 8}, varying), (DECODERS["t5"][0], both)):
        tree = Model.model_validate(spelling).tree(x)
        assert tree.shape(x).dims == (None, 11)
        assert tree.build(x)(decoder_inputs(x, random_tokens(4, 11))).shape == (2, 4, 11)
    with pytest.raises(ShapeError, match="need a `max_length`"):
        Model.model_validate({"type": "gpt", **SMALL}).tree(varying).shape(varying)


def test_gpt_starts_as_nanogpt_does():
    """Its rule: matrices and tables have std 0.02, those that end a branch 0.02 / √(2 · depth)."""
    x = TensorSpec((64,), "T", "int64", vocab=(500,))
    model = Model.model_validate({"gpt": {"features": 128, "num_layers": 8, "num_heads": 4}})
    torch.manual_seed(0)
    tree = model.tree(x)
    network = tree.build(x)
    initialize(network, tree, x, model.init)
    ends = 0
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            continue
        ending = name.endswith(("attention.layers.layer.out.weight", "feed_forward.layers.layer.2.weight"))
        ends += ending
        assert parameter.std().item() == pytest.approx(0.02 / 4 if ending else 0.02, rel=0.03), name
    assert ends == 2 * 8
    alike = Model.model_validate({"gpt": {"features": 128, "num_layers": 8, "num_heads": 4, "scale_init": False}})
    assert alike.tree(x).cost(x) == tree.cost(x)
    initialize(network, alike.tree(x), x, alike.init)
    assert all(p.std().item() == pytest.approx(0.02, rel=0.03) for p in network.parameters() if p.ndim == 2)


def t5_deviations(features=32, head_dim=8, heads=2, hidden=48):
    """Return what the code of T5 draws each weight with, by the end of its name (Mesh TensorFlow's initializers)."""
    return {
        "embedding.weight": 1.0,
        "qkv.weight": None,  # queries, then keys and values, below
        "q.weight": (features * head_dim) ** -0.5,
        "kv.weight": features**-0.5,
        "out.weight": (heads * head_dim) ** -0.5,
        "layer.0.weight": features**-0.5,
        "layer.3.weight": hidden**-0.5,
        "layers.0.weight": features**-0.5,  # of the relative position bias
        "norm.weight": 0.0,
    }


def test_t5_starts_as_its_paper_does():
    sizes = {"features": 32, "num_layers": 2, "num_heads": 2, "head_dim": 8, "hidden": 48}
    x, weights = pair(2000), {}
    for seed in range(4):
        torch.manual_seed(seed)
        model = Model.model_validate({"type": "t5", **sizes})
        module = model.tree(x).build(x)
        initialize(module, model.tree(x), x, model.init)
        for name, parameter in module.named_parameters():
            weights.setdefault(name, []).append(parameter.detach())
    expected = t5_deviations()
    for name, drawn in weights.items():
        end = next(e for e in expected if name.endswith(e))
        stacked = torch.stack(drawn)
        if end == "qkv.weight":
            assert stacked[:, :16].std().item() == pytest.approx(expected["q.weight"], rel=0.1), name
            assert stacked[:, 16:].std().item() == pytest.approx(expected["kv.weight"], rel=0.1), name
        else:
            assert stacked.std().item() == pytest.approx(expected[end], rel=0.2, abs=1e-6), name


def test_attention_scores_of_t5_start_with_a_deviation_of_one():
    torch.manual_seed(0)
    model, x = Model.model_validate("t5"), pair(100)
    module = model.tree(x).build(x)
    initialize(module, model.tree(x), x, model.init)
    (first, *_) = [m for m in module.modules() if hasattr(m, "qkv")]
    normed = torch.randn(4, 50, 512)
    q, k, _ = first.qkv(normed).view(4, 50, 3, 8, 64).unbind(2)
    assert torch.einsum("bthd,bshd->bhts", q, k).std().item() == pytest.approx(1.0, rel=0.1)


def test_t5_starts_with_logits_of_a_deviation_of_one():
    torch.manual_seed(0)
    model, x = Model.model_validate({"type": "t5", "num_layers": 1, "dropout": 0.0}), pair(500)
    module = model.tree(x).build(x).eval()
    initialize(module, model.tree(x), x, model.init)
    target = random_tokens(5, 500)
    logits = module({"source": random_tokens(7, 500), "target": target})
    others = torch.ones_like(logits, dtype=torch.bool).scatter(2, target[..., None], False)  # a word is like itself
    assert logits[others].std().item() == pytest.approx(1.0, rel=0.1)


def test_the_untied_head_of_t5_starts_as_that_of_t5_1_1():
    """Its code draws the map to logits with a variance of 1 / features (T5X, `logits_dense`), without a bias."""
    torch.manual_seed(0)
    words, x = 900, pair(900)
    model = Model.model_validate({"type": "t5", "num_layers": 1, "dropout": 0.0, "tie_word_embeddings": False})
    facts = DataFacts({"source": x["source"], "target": x["target"]}, ("source",), "target")
    tree = Task.model_validate("seq2seq").network("network", model, facts)
    module = tree.build(x).eval()
    initialize(module, tree, x, model.init)
    (weight,) = [p for p in module.parameters() if p.shape == (words, 512) and p.std() < 0.5]
    assert weight.std().item() == pytest.approx(512**-0.5, rel=0.01)
    (bias,) = [p for p in module.parameters() if p.shape == (words,)]
    assert not bias.any()
    logits = module({"source": random_tokens(7, words), "target": random_tokens(5, words)})
    assert logits.std().item() == pytest.approx(1.0, rel=0.1)
