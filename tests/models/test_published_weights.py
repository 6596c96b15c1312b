"""Published weights: a network with the weights of a file computes what the library that wrote the file computes."""

import re

import pytest
import torch
from safetensors.torch import save_file

from dlx.engine.build.published import load_published_weights
from dlx.facts import DataFacts
from dlx.models import Model
from dlx.recipe.schema.transfer import InitFrom
from dlx.tensors import TensorSpec

transformers = pytest.importorskip("transformers")

IMAGE = TensorSpec((3, 32, 32), "CHW")
TOKENS = TensorSpec((7,), "T", "int64", vocab=(20,))
SMALL = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
UNTIED = {"tie_word_embeddings": False}
LLAMA = {"norm": "rms_norm", "position_embedding": "rope", "activation": "silu", "gated": True, "bias": False, **UNTIED}
T5 = {"d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 2, "vocab_size": 20, "dropout_rate": 0.0}
HERE = {"features": 8, "num_layers": 2, "num_heads": 2, "hidden": 16}


def saved(cls, options, folder):
    """Save a small network with random weights, also of its norms and biases."""
    torch.manual_seed(0)
    model = cls(cls.config_class(**options)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    return model


def loaded(spec, x, folder, library="hf"):
    model = Model.model_validate(spec)
    network = model.tree(x).build(x).eval()
    init_from = InitFrom(file=str(folder), names=library)
    load_published_weights(network, model.name_maps()[library], init_from, folder, DataFacts({}, {}))
    return network


def tokens():
    return torch.randint(20, (2, 7))


CASES = {
    "resnet": (
        {"resnet": 18},
        ("ResNetModel", {"depths": [2] * 4, "hidden_sizes": [64, 128, 256, 512], "layer_type": "basic"}),
        lambda theirs, x: theirs(x).last_hidden_state,
    ),
    "bottleneck": (
        {"resnet": {"depth": 50, "width": 8}},
        ("ResNetModel", {"embedding_size": 8, "hidden_sizes": [32, 64, 128, 256]}),
        lambda theirs, x: theirs(x).last_hidden_state,
    ),
    "convnext": (
        {"convnext": {"width": 4}},
        ("ConvNextModel", {"depths": [3, 3, 9, 3], "hidden_sizes": [4, 8, 16, 32]}),
        lambda theirs, x: theirs(x).pooler_output,
    ),
    "vit": (
        {"vit": {**HERE, "patch_size": 8}},
        ("ViTModel", {**SMALL, "image_size": 32, "patch_size": 8, "layer_norm_eps": 1e-6}),
        lambda theirs, x: theirs(x).last_hidden_state[:, 0],
    ),
    "bert": (
        {"bert": HERE},
        ("BertModel", {**SMALL, "vocab_size": 20}),
        lambda theirs, x: theirs(x).pooler_output,
    ),
    "bert of a shorter text": (
        {"bert": {**HERE, "max_length": 9}},
        ("BertModel", {**SMALL, "vocab_size": 20}),
        lambda theirs, x: theirs(x).pooler_output,
    ),
    "gpt2": (
        {"gpt": {**HERE, "hidden": 32, "max_length": 16}},
        ("GPT2LMHeadModel", {"n_embd": 8, "n_layer": 2, "n_head": 2, "vocab_size": 20, "n_positions": 16}),
        lambda theirs, x: theirs(x).logits,
    ),
    "llama": (
        {"gpt": {**HERE, **LLAMA, "num_kv_heads": 1}},
        ("LlamaModel", {**SMALL, "num_key_value_heads": 1, "vocab_size": 20}),
        lambda theirs, x: theirs(x).last_hidden_state,
    ),
    "t5": (
        {"t5": {**HERE, "head_dim": 4}},
        ("T5ForConditionalGeneration", T5),
        lambda theirs, x: theirs(input_ids=x["source"], decoder_input_ids=x["target"]).logits,
    ),
    "t5 1.1": (
        {"t5": {**HERE, "head_dim": 4, "gated": True, "activation": {"gelu": {"approximate": "tanh"}}, **UNTIED}},
        ("T5Model", {**T5, "feed_forward_proj": "gated-gelu"}),
        lambda theirs, x: theirs(input_ids=x["source"], decoder_input_ids=x["target"]).last_hidden_state,
    ),
}


def inputs(name):
    """Return the spec of an architecture's input, and samples of it."""
    if name.startswith("t5"):
        return {"source": TOKENS, "target": TOKENS}, {"source": tokens(), "target": tokens()}
    if name in ("resnet", "bottleneck", "convnext", "vit"):
        return IMAGE, torch.randn(2, 3, 32, 32)
    return TOKENS, tokens()


@pytest.mark.parametrize("name", CASES)
def test_a_network_computes_what_transformers_computes(name, tmp_path):
    spec, (cls, config), compute = CASES[name]
    theirs = saved(getattr(transformers, cls), config, tmp_path)
    of, x = inputs(name)
    with torch.no_grad():
        torch.testing.assert_close(loaded(spec, of, tmp_path)(x), compute(theirs, x), rtol=1e-5, atol=1e-5)


def openai_name(name):
    """Return the name of a tensor of GPT-2 as OpenAI's release has it, and whether it is stored with a leading axis."""
    block = re.match(r"h\.(\d+)\.(ln_\d|attn|mlp)\.(.*)", name)
    if block is None:
        layer, kind = name.split(".")
        return f"model/{layer}" + ("" if layer in ("wte", "wpe") else f"/{kind[0].replace('w', 'g')}"), False
    number, layer, rest = block.groups()
    if layer.startswith("ln"):
        return f"model/h{number}/{layer}/{rest[0].replace('w', 'g')}", False
    part, kind = rest.split(".")
    return f"model/h{number}/{layer}/{part}/{kind[0]}", kind == "weight"


def test_gpt2_as_openai_released_it(tmp_path):
    spec, (cls, config), compute = CASES["gpt2"]
    theirs = saved(getattr(transformers, cls), config, tmp_path)
    renamed = {}
    for name, tensor in theirs.transformer.state_dict().items():
        new, leads = openai_name(name)
        renamed[new] = (tensor[None] if leads else tensor).clone()
    save_file(renamed, tmp_path / "model.safetensors")
    assert {"model/wte", "model/h1/attn/c_attn/w", "model/h0/mlp/c_fc/b", "model/ln_f/g"} <= renamed.keys()
    x = tokens()
    with torch.no_grad():
        ours = loaded(spec, TOKENS, tmp_path, "openai")(x)
        torch.testing.assert_close(ours, compute(theirs, x), rtol=1e-5, atol=1e-5)
