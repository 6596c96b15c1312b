"""Names of BERT's weights, as transformers publishes them."""

from dlx.name_maps import NameMap

LAYER = r"encoder.layer.\1."
HF = NameMap(
    [
        (r"^0\.", "embeddings.word_embeddings."),
        (r"^1\.", "embeddings.position_embeddings."),
        (r"^2\.", "embeddings.token_type_embeddings."),
        (r"^norm\.", "embeddings.LayerNorm."),
        (r"^blocks\.(\d+)\.attention\.layers\.layer\.qkv\.", LAYER + "attention.self.qkv."),
        (r"^blocks\.(\d+)\.attention\.layers\.layer\.out\.", LAYER + "attention.output.dense."),
        (r"^blocks\.(\d+)\.attention\.then\.", LAYER + "attention.output.LayerNorm."),
        (r"^blocks\.(\d+)\.feed_forward\.layers\.layer\.0\.", LAYER + "intermediate.dense."),
        (r"^blocks\.(\d+)\.feed_forward\.layers\.layer\.\d+\.", LAYER + "output.dense."),
        (r"^blocks\.(\d+)\.feed_forward\.then\.", LAYER + "output.LayerNorm."),
        (r"^pooler\.\d\.", "pooler.dense."),
        (r"^heads\.masked_tokens\.0\.", "cls.predictions.transform.dense."),
        (r"^heads\.masked_tokens\.2\.", "cls.predictions.transform.LayerNorm."),
        (r"^heads\.masked_tokens\.3\.weight", "cls.predictions.decoder.weight"),
        (r"^heads\.masked_tokens\.3\.bias", "cls.predictions.bias"),
        (r"^heads\.next_sentence\.0\.", "pooler.dense."),
        (r"^heads\.next_sentence\.2\.", "cls.seq_relationship."),
        (r"^head\.\d+\.", "classifier."),
    ],
    parts={".qkv.": (".query.", ".key.", ".value.")},
    fallbacks={"cls.predictions.decoder.weight": "embeddings.word_embeddings.weight"},
    prefix="bert.",
    synonyms=[(r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias")],
    token_rows=r"word_embeddings\.weight$|^cls\.predictions\.(decoder\.weight|bias)$",
    position_rows=r"position_embeddings\.weight$",
    buffers=r"embeddings\.position_ids$|^cls\.predictions\.decoder\.bias$",
    heads=r"^(cls|classifier|pooler)\.",
)
NAMES = {"hf": HF}
