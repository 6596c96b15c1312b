"""Names of T5's weights, as transformers publishes them."""

from collections.abc import Mapping

from dlx.name_maps import NameMap

BLOCK = r"(encoder|decoder)\.\d+\.then\.blocks\.(\d+)\."
LAYER = r"\1.block.\2.layer."
BUFFERS = r"^(encoder|decoder)\.embed_tokens\.weight$|EncDecAttention\.relative_attention_bias\.weight$"


def t5_names(tied: bool) -> Mapping[str, NameMap]:
    """Return the name maps; `tied`: whether one table embeds both sides and computes the logits."""
    around = r"^0\.layers\." if tied else "^"
    hf = NameMap(
        [
            (r"^0\.embedding\.", "shared."),
            (rf"{around}0\.layers\.", "encoder."),
            (rf"{around}0\.then\.", "decoder."),
            (r"^(encoder|decoder)\.\d+\.weight$", "shared.weight"),
            (r"^(encoder|decoder)\.\d+\.layers\.0\.", r"\1.block.0.layer.0.SelfAttention.relative_attention_bias."),
            (r"^(encoder|decoder)\.\d+\.then\.norm\.", r"\1.final_layer_norm."),
            (rf"^{BLOCK}attention\.layers\.norm\.", LAYER + "0.layer_norm."),
            (rf"^{BLOCK}attention\.layers\.layer\.out\.", LAYER + "0.SelfAttention.o."),
            (rf"^{BLOCK}attention\.layers\.layer\.", LAYER + "0.SelfAttention."),
            (rf"^{BLOCK}cross_attention\.layers\.norm\.", LAYER + "1.layer_norm."),
            (rf"^{BLOCK}cross_attention\.layers\.layer\.out\.", LAYER + "1.EncDecAttention.o."),
            (rf"^{BLOCK}cross_attention\.layers\.layer\.", LAYER + "1.EncDecAttention."),
            (rf"^{BLOCK}feed_forward\.layers\.", LAYER + "last."),
            (r"^encoder(.*)\.last\.", r"encoder\1.1."),
            (r"^decoder(.*)\.last\.", r"decoder\1.2."),
            (r"\.(\d)\.norm\.weight$", r".\1.layer_norm.weight"),
            (r"\.layer\.(\d)\.layer\.0\.0\.0\.", r".layer.\1.DenseReluDense.wi_0."),
            (r"\.layer\.(\d)\.layer\.0\.1\.", r".layer.\1.DenseReluDense.wi_1."),
            (r"\.layer\.(\d)\.layer\.0\.", r".layer.\1.DenseReluDense.wi."),
            (r"\.layer\.(\d)\.layer\.\d\.", r".layer.\1.DenseReluDense.wo."),
            (r"^head\.\d+\.", "lm_head."),
        ],
        parts={"Attention.qkv.": ("Attention.q.", "Attention.k.", "Attention.v."), ".kv.": (".k.", ".v.")},
        fallbacks={"lm_head.weight": "shared.weight"},
        token_rows=r"^(shared|lm_head)\.weight$",
        buffers=BUFFERS + (r"|^lm_head\.weight$" if tied else ""),
        heads=r"^lm_head\.",
    )
    return {"hf": hf}
