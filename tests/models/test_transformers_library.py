"""Transformers with the weights of the `transformers` library compute what it does."""

import pytest
import torch
from text_inputs import build_model, pair, random_tokens, tokens
from torch import nn

from dlx.nn.context import apply
from dlx.tensors import TensorSpec


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip("transformers", reason="the library `transformers` is not installed")


def load(module, weights):
    """Load weights by name; a list of them is laid end to end. Every parameter must be given."""
    state = {name: torch.cat(w) if isinstance(w, list) else w for name, w in weights.items()}
    module.load_state_dict(state)


def shaken(model):
    """Return a model whose every parameter is random, so that none hides behind a 0 or a 1."""
    torch.manual_seed(3)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def linear(ours, *theirs, kinds=("weight", "bias")):
    """Return pairs of names for a linear map or a norm, or several that are laid end to end."""
    return {f"{ours}.{kind}": [f"{name}.{kind}" for name in theirs] for kind in kinds}


def taken(names, state):
    return {ours: [state[name] for name in theirs] for ours, theirs in names.items()}


def test_gpt_is_gpt2(library):
    config = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 11, "n_positions": 8}
    theirs = shaken(library.GPT2LMHeadModel(library.GPT2Config(**config, bos_token_id=0, eos_token_id=0)))
    ours = build_model({"type": "gpt", "features": 16, "num_layers": 2, "num_heads": 2, "max_length": 8}, tokens(8, 11))
    state = {k.removeprefix("transformer."): v for k, v in theirs.state_dict().items()}
    state = {k: v.T if v.ndim == 2 and k.startswith("h.") else v for k, v in state.items()}  # it stores them turned
    names = {"0.embedding.weight": ["wte.weight"], "0.layers.0.weight": ["wpe.weight"], **linear("0.layers.2", "ln_f")}
    for i in range(2):
        block = f"0.layers.blocks.{i}"
        names |= linear(f"{block}.attention.layers.norm", f"h.{i}.ln_1")
        names |= linear(f"{block}.attention.layers.layer.qkv", f"h.{i}.attn.c_attn")
        names |= linear(f"{block}.attention.layers.layer.out", f"h.{i}.attn.c_proj")
        names |= linear(f"{block}.feed_forward.layers.norm", f"h.{i}.ln_2")
        names |= linear(f"{block}.feed_forward.layers.layer.0", f"h.{i}.mlp.c_fc")
        names |= linear(f"{block}.feed_forward.layers.layer.2", f"h.{i}.mlp.c_proj")
    load(ours, taken(names, state))
    x = random_tokens(8, 11)
    torch.testing.assert_close(ours(x), theirs(x).logits, rtol=1e-4, atol=1e-4)


def test_gpt_with_its_options_is_llama(library):
    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config |= {"intermediate_size": 24, "vocab_size": 11, "rms_norm_eps": 1e-6, "attn_implementation": "eager"}
    theirs = shaken(library.LlamaModel(library.LlamaConfig(**config)))
    options = {"norm": "rms_norm", "position_embedding": "rope", "activation": "silu", "gated": True, "bias": False}
    sizes = {"features": 16, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "hidden": 24}
    ours = build_model({"type": "gpt", **sizes, **options, "tie_word_embeddings": False}, tokens(8, 11))
    names = {"0.weight": ["embed_tokens.weight"], "2.weight": ["norm.weight"]}
    only = ("weight",)
    for i in range(2):
        block, other = f"blocks.{i}", f"layers.{i}"
        three = [f"{other}.self_attn.{kind}_proj" for kind in "qkv"]
        names |= linear(f"{block}.attention.layers.norm", f"{other}.input_layernorm", kinds=only)
        names |= linear(f"{block}.attention.layers.layer.qkv", *three, kinds=only)
        names |= linear(f"{block}.attention.layers.layer.out", f"{other}.self_attn.o_proj", kinds=only)
        names |= linear(f"{block}.feed_forward.layers.norm", f"{other}.post_attention_layernorm", kinds=only)
        names |= linear(f"{block}.feed_forward.layers.layer.0.0.0", f"{other}.mlp.gate_proj", kinds=only)
        names |= linear(f"{block}.feed_forward.layers.layer.0.1", f"{other}.mlp.up_proj", kinds=only)
        names |= linear(f"{block}.feed_forward.layers.layer.1", f"{other}.mlp.down_proj", kinds=only)
    load(ours, taken(names, theirs.state_dict()))
    x = random_tokens(8, 11)
    torch.testing.assert_close(ours(x), theirs(x).last_hidden_state, rtol=1e-4, atol=1e-4)


def test_bert_is_bert(library):
    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    theirs = shaken(library.BertModel(library.BertConfig(**config, vocab_size=11, max_position_embeddings=9)))
    ours = build_model(
        {"type": "bert", "features": 16, "num_layers": 2, "num_heads": 2, "max_length": 9}, tokens(8, 11)
    )
    start = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    names = {f"{i}.weight": [f"embeddings.{name}.weight"] for i, name in enumerate(start)}
    names |= linear("norm", "embeddings.LayerNorm") | linear("pooler.1", "pooler.dense")
    for i in range(2):
        block, other = f"blocks.{i}", f"encoder.layer.{i}"
        three = [f"{other}.attention.self.{kind}" for kind in ("query", "key", "value")]
        names |= linear(f"{block}.attention.layers.layer.qkv", *three)
        names |= linear(f"{block}.attention.layers.layer.out", f"{other}.attention.output.dense")
        names |= linear(f"{block}.attention.then", f"{other}.attention.output.LayerNorm")
        names |= linear(f"{block}.feed_forward.layers.layer.0", f"{other}.intermediate.dense")
        names |= linear(f"{block}.feed_forward.layers.layer.2", f"{other}.output.dense")
        names |= linear(f"{block}.feed_forward.then", f"{other}.output.LayerNorm")
    load(ours, taken(names, theirs.state_dict()))
    x, mask = random_tokens(8, 11), torch.arange(8) < torch.tensor([[8], [5]])
    segment = (torch.arange(8) > 3).long().expand(2, 8)
    expected = theirs(x, attention_mask=mask.long(), token_type_ids=segment).pooler_output
    torch.testing.assert_close(apply(ours, x, {"mask": mask, "segment": segment}), expected, rtol=1e-4, atol=1e-4)


def test_vit_is_vit(library):
    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config |= {"image_size": 8, "patch_size": 4, "num_channels": 3, "layer_norm_eps": 1e-6}
    theirs = shaken(library.ViTModel(library.ViTConfig(**config), add_pooling_layer=False))
    ours = build_model(
        {"type": "vit", "features": 16, "num_layers": 2, "num_heads": 2, "patch_size": 4}, TensorSpec((3, 8, 8), "CHW")
    )
    names = linear("0.project", "embeddings.patch_embeddings.projection") | linear("norm", "layernorm")
    for i in range(2):
        block, other = f"blocks.{i}", f"layers.{i}"
        names |= linear(f"{block}.attention.layers.norm", f"{other}.layernorm_before")
        three = [f"{other}.attention.{kind}_proj" for kind in "qkv"]
        names |= linear(f"{block}.attention.layers.layer.qkv", *three)
        names |= linear(f"{block}.attention.layers.layer.out", f"{other}.attention.o_proj")
        names |= linear(f"{block}.feed_forward.layers.norm", f"{other}.layernorm_after")
        names |= linear(f"{block}.feed_forward.layers.layer.0", f"{other}.mlp.fc1")
        names |= linear(f"{block}.feed_forward.layers.layer.2", f"{other}.mlp.fc2")
    state = theirs.state_dict()
    start = {"1.token": state["embeddings.cls_token"][0, 0], "2.weight": state["embeddings.position_embeddings"][0]}
    load(ours, {**taken(names, state), **start})
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(ours(x), theirs(x).last_hidden_state[:, 0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("gated", [False, True])
def test_t5_is_t5(library, gated):
    config = {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 2, "vocab_size": 11}
    config |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 6}
    kind = {"feed_forward_proj": "gated-gelu" if gated else "relu", "tie_word_embeddings": True}
    theirs = shaken(library.T5ForConditionalGeneration(library.T5Config(**config, **kind)))
    sizes = {
        "features": 16,
        "num_layers": 2,
        "num_heads": 2,
        "head_dim": 4,
        "hidden": 24,
        "num_buckets": 8,
        "max_distance": 6,
    }
    options = {"activation": {"gelu": {"approximate": "tanh"}}, "gated": True} if gated else {}
    ours = build_model({"type": "t5", **sizes, **options}, pair(11))
    names, only = {"0.embedding.weight": ["shared.weight"]}, ("weight",)
    for side, other in (("0.layers.0.layers.2", "encoder"), ("0.layers.0.then.2", "decoder")):
        first = f"{other}.block.0.layer.0.SelfAttention"
        names[f"{side}.layers.0.weight"] = [f"{first}.relative_attention_bias.weight"]
        names |= linear(f"{side}.then.norm", f"{other}.final_layer_norm", kinds=only)
        for i in range(2):
            parts = {"attention": "SelfAttention"}
            parts |= {"cross_attention": "EncDecAttention"} if other == "decoder" else {}
            for j, (part, called) in enumerate(parts.items()):
                mine, layer = f"{side}.then.blocks.{i}.{part}.layers", f"{other}.block.{i}.layer.{j}"
                names |= linear(f"{mine}.norm", f"{layer}.layer_norm", kinds=only)
                names |= linear(f"{mine}.layer.out", f"{layer}.{called}.o", kinds=only)
                three = [f"{layer}.{called}.{k}" for k in "qkv"]
                split = {"qkv": three} if part == "attention" else {"q": three[:1], "kv": three[1:]}
                for name, theirs_parts in split.items():
                    names |= linear(f"{mine}.layer.{name}", *theirs_parts, kinds=only)
            mine, layer = f"{side}.then.blocks.{i}.feed_forward.layers", f"{other}.block.{i}.layer.{len(parts)}"
            names |= linear(f"{mine}.norm", f"{layer}.layer_norm", kinds=only)
            maps = {"0.0.0": "wi_0", "0.1": "wi_1", "2": "wo"} if gated else {"0": "wi", "3": "wo"}
            for name, called in maps.items():
                names |= linear(f"{mine}.layer.{name}", f"{layer}.DenseReluDense.{called}", kinds=only)
    load(ours, taken(names, theirs.state_dict()))
    source, target = random_tokens(7, 11), random_tokens(5, 11)
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    expected = theirs(input_ids=source, attention_mask=mask.long(), decoder_input_ids=target).logits
    given = apply(ours, {"source": source, "target": target}, {"memory_mask": mask})
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)
