"""Names of ConvNeXt's weights, as torchvision, timm and transformers publish them."""

from dlx.name_maps import NameMap

TORCHVISION = NameMap(
    [
        (r"^stem\.", "features.0."),
        (r"^down(\d)\.", "features.{1*2}."),
        (r"^stage(\d)\.0\.(\d+)\.layers\.([0124])\.", r"features.{1*2}.\2.block.{3+1}."),
        (r"^stage(\d)\.0\.(\d+)\.layers\.5\.weight", r"features.{1*2}.\2.layer_scale"),
        (r"^features\.(\d)\.(\d+)\.(block|layer)", r"features.{1-1}.\2.\3"),
        (r"\.block\.1\.", ".block.0."),
        (r"^\d+\.", "classifier.0."),
        (r"^head\.\d+\.", "classifier.2."),
    ],
    heads=r"^classifier\.2\.",
)
TIMM = NameMap(
    [
        (r"^down(\d)\.", r"stages.\1.downsample."),
        (r"^stage(\d)\.0\.(\d+)\.layers\.", r"stages.{1-1}.blocks.\2."),
        (r"(blocks\.\d+)\.0\.", r"\1.conv_dw."),
        (r"(blocks\.\d+)\.1\.", r"\1.norm."),
        (r"(blocks\.\d+)\.2\.", r"\1.mlp.fc1."),
        (r"(blocks\.\d+)\.4\.", r"\1.mlp.fc2."),
        (r"(blocks\.\d+)\.5\.weight", r"\1.gamma"),
        (r"^\d+\.", "norm."),
        (r"^head\.\d+\.", "head.fc."),
        (r"^norm\.", "head.norm."),
    ],
    heads=r"^head\.fc\.",
)
HF = NameMap(
    [
        (r"^stem\.0\.", "embeddings.patch_embeddings."),
        (r"^stem\.1\.", "embeddings.layernorm."),
        (r"^down(\d)\.", r"encoder.stages.\1.downsampling_layer."),
        (r"^stage(\d)\.0\.(\d+)\.layers\.", r"encoder.stages.{1-1}.block.\2."),
        (r"(block\.\d+)\.0\.", r"\1.dwconv."),
        (r"(block\.\d+)\.1\.", r"\1.layernorm."),
        (r"(block\.\d+)\.2\.", r"\1.pwconv1."),
        (r"(block\.\d+)\.4\.", r"\1.pwconv2."),
        (r"(block\.\d+)\.5\.weight", r"\1.layer_scale_parameter"),
        (r"\.block\.", ".layers."),
        (r"^\d+\.", "layernorm."),
        (r"^head\.\d+\.", "classifier."),
    ],
    prefix="convnext.",
    heads=r"^classifier\.",
)
NAMES = {"torchvision": TORCHVISION, "timm": TIMM, "hf": HF}
