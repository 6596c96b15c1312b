"""Names of the weights of GPT-2 and of models after LLaMA, as OpenAI and transformers publish them."""

from collections.abc import Mapping

from dlx.name_maps import NameMap, Renames

ATTENTION = r"^blocks\.(\d+)\.attention\.layers\."
FEED_FORWARD = r"^blocks\.(\d+)\.feed_forward\.layers\."
GPT2 = [
    (rf"{ATTENTION}norm\.", r"h.\1.ln_1."),
    (rf"{ATTENTION}layer\.qkv\.", r"h.\1.attn.c_attn."),
    (rf"{ATTENTION}layer\.out\.", r"h.\1.attn.c_proj."),
    (rf"{FEED_FORWARD}norm\.", r"h.\1.ln_2."),
    (rf"{FEED_FORWARD}layer\.0\.", r"h.\1.mlp.c_fc."),
    (rf"{FEED_FORWARD}layer\.\d+\.", r"h.\1.mlp.c_proj."),
    (r"^norm\.", "ln_f."),
    (r"^tokens\.", "wte."),
    (r"^positions\.", "wpe."),
    (r"^head\.\d+\.", "lm_head."),
]
OPENAI = [
    *GPT2,
    (r"^h\.(\d+)", r"model/h\1"),
    (r"^(wte|wpe)\.weight", r"model/\1"),
    (r"^ln_f", "model/ln_f"),
    (r"\.(ln_\d)\.", r"/\1/"),
    (r"\.(attn|mlp)\.(c_\w+)\.", r"/\1/\2/"),
    (r"ln_f\.", "ln_f/"),
    (r"(ln_\w/)weight", r"\1g"),
    (r"(ln_\w/)bias", r"\1b"),
    (r"(c_\w+/)(w|b).*", r"\1\2"),
]
LLAMA = [
    (rf"{ATTENTION}norm\.", r"layers.\1.input_layernorm."),
    (rf"{ATTENTION}layer\.qkv\.", r"layers.\1.self_attn.qkv."),
    (rf"{ATTENTION}layer\.out\.", r"layers.\1.self_attn.o_proj."),
    (rf"{FEED_FORWARD}norm\.", r"layers.\1.post_attention_layernorm."),
    (rf"{FEED_FORWARD}layer\.0\.0\.0\.", r"layers.\1.mlp.gate_proj."),
    (rf"{FEED_FORWARD}layer\.0\.1\.", r"layers.\1.mlp.up_proj."),
    (rf"{FEED_FORWARD}layer\.\d+\.", r"layers.\1.mlp.down_proj."),
    (r"^tokens\.", "embed_tokens."),
    (r"^head\.\d+\.", "lm_head."),
]


def gpt2_names(tied: bool) -> Mapping[str, NameMap]:
    """Return the name maps of GPT-2; `tied`: whether the token embedding computes the logits too."""
    start = _start(tied, positions=True)
    hf = NameMap(
        [*start, *GPT2],
        fallbacks={"lm_head.weight": "wte.weight"},
        prefix="transformer.",
        transposed=r"\.c_\w+\.weight$",
        token_rows=r"^(wte|lm_head)\.weight$",
        position_rows=r"^wpe\.weight$",
        buffers=r"\.attn\.(masked_)?bias$" + (r"|^lm_head\.weight$" if tied else ""),
        heads=r"^(lm_head|score|classifier)\.",
    )
    openai = NameMap(
        [*start, *OPENAI],
        fallbacks={"lm_head.weight": "model/wte"},
        transposed=r"/c_\w+/w$",
        token_rows=r"^model/wte$",
        position_rows=r"^model/wpe$",
    )
    return {"hf": hf, "openai": openai}


def llama_names(tied: bool) -> Mapping[str, NameMap]:
    """Return the name maps of LLaMA and its like; `tied`: whether the token embedding computes the logits too."""
    hf = NameMap(
        [*_start(tied, positions=False), *LLAMA],
        parts={".qkv.": (".q_proj.", ".k_proj.", ".v_proj.")},
        fallbacks={"lm_head.weight": "embed_tokens.weight"},
        prefix="model.",
        token_rows=r"^(embed_tokens|lm_head)\.weight$",
        buffers=r"\.rotary_emb\.inv_freq$" + (r"|^lm_head\.weight$" if tied else ""),
        heads=r"^(lm_head|score)\.",
    )
    return {"hf": hf}


def _start(tied: bool, positions: bool) -> Renames:
    """Return renames of what is numbered: a tied embedding holds the other layers, another one stands before them."""
    tokens = [(r"^0\.embedding\.", "tokens."), (r"^0\.layers\.", "")] if tied else [(r"^0\.", "tokens.")]
    learned = [(rf"^{0 if tied else 1}\.", "positions.")] if positions else []
    return [*tokens, *learned, (r"^\d\.", "norm.")]
