"""Names of the vision transformer's weights, as torchvision, timm and transformers publish them."""

from dlx.name_maps import NameMap

ATTENTION = r"^blocks\.(\d+)\.attention\.layers\."
FEED_FORWARD = r"^blocks\.(\d+)\.feed_forward\.layers\."
POSITIONS = r"^\d\.weight$"  # behind the class token, where there is one
TORCHVISION = NameMap(
    [
        (r"^0\.project\.", "conv_proj."),
        (r"^1\.token$", "class_token"),
        (POSITIONS, "encoder.pos_embedding"),
        (rf"{ATTENTION}norm\.", r"encoder.layers.encoder_layer_\1.ln_1."),
        (rf"{ATTENTION}layer\.qkv\.", r"encoder.layers.encoder_layer_\1.self_attention.in_proj_"),
        (rf"{ATTENTION}layer\.out\.", r"encoder.layers.encoder_layer_\1.self_attention.out_proj."),
        (rf"{FEED_FORWARD}norm\.", r"encoder.layers.encoder_layer_\1.ln_2."),
        (rf"{FEED_FORWARD}layer\.0\.", r"encoder.layers.encoder_layer_\1.mlp.0."),
        (rf"{FEED_FORWARD}layer\.\d+\.", r"encoder.layers.encoder_layer_\1.mlp.3."),
        (r"^norm\.", "encoder.ln."),
        (r"^head\.\d+\.", "heads.head."),
    ],
    synonyms=[(r"\.mlp\.linear_1\.", ".mlp.0."), (r"\.mlp\.linear_2\.", ".mlp.3.")],
    heads=r"^heads\.",
)
TIMM = NameMap(
    [
        (r"^0\.project\.", "patch_embed.proj."),
        (r"^1\.token$", "cls_token"),
        (POSITIONS, "pos_embed"),
        (rf"{ATTENTION}norm\.", r"blocks.\1.norm1."),
        (rf"{ATTENTION}layer\.qkv\.", r"blocks.\1.attn.qkv."),
        (rf"{ATTENTION}layer\.out\.", r"blocks.\1.attn.proj."),
        (rf"{FEED_FORWARD}norm\.", r"blocks.\1.norm2."),
        (rf"{FEED_FORWARD}layer\.0\.", r"blocks.\1.mlp.fc1."),
        (rf"{FEED_FORWARD}layer\.\d+\.", r"blocks.\1.mlp.fc2."),
        (r"^head\.\d+\.", "head."),
    ],
    heads=r"^head\.",
)
HF = NameMap(
    [
        (r"^0\.project\.", "embeddings.patch_embeddings.projection."),
        (r"^1\.token$", "embeddings.cls_token"),
        (POSITIONS, "embeddings.position_embeddings"),
        (rf"{ATTENTION}norm\.", r"encoder.layer.\1.layernorm_before."),
        (rf"{ATTENTION}layer\.qkv\.", r"encoder.layer.\1.attention.attention.qkv."),
        (rf"{ATTENTION}layer\.out\.", r"encoder.layer.\1.attention.output.dense."),
        (rf"{FEED_FORWARD}norm\.", r"encoder.layer.\1.layernorm_after."),
        (rf"{FEED_FORWARD}layer\.0\.", r"encoder.layer.\1.intermediate.dense."),
        (rf"{FEED_FORWARD}layer\.\d+\.", r"encoder.layer.\1.output.dense."),
        (r"^norm\.", "layernorm."),
        (r"^head\.\d+\.", "classifier."),
    ],
    parts={".qkv.": (".query.", ".key.", ".value.")},
    prefix="vit.",
    heads=r"^(classifier|pooler)\.",
)
NAMES = {"torchvision": TORCHVISION, "timm": TIMM, "hf": HF}
