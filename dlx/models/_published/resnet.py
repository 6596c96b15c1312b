"""Names of ResNet's weights, as torchvision, timm and transformers publish them."""

from dlx.name_maps import NameMap

# the first block of a stage stands alone, and so does the second where there are only two
BLOCKS = [(r"^stage(\d)\.1\.(\d+)\.layers\.", r"stage\1.{2+1}.layers.")]
TORCHVISION = NameMap(
    [
        *BLOCKS,
        (r"^stem\.0\.", "conv1."),
        (r"^stem\.1\.", "bn1."),
        (r"^stage", "layer"),
        (r"\.layers\.([036])\.", r".conv{1//3}."),
        (r"\.layers\.([147])\.", r".bn{1//3}."),
        (r"\.(conv|bn)(\d)\.", r".\1{2+1}."),
        (r"\.shortcut\.", ".downsample."),
        (r"^head\.\d+\.", "fc."),
    ],
    heads=r"^fc\.",
)
HF = NameMap(
    [
        *BLOCKS,
        (r"^stem\.0\.", "embedder.embedder.convolution."),
        (r"^stem\.1\.", "embedder.embedder.normalization."),
        (r"\.layers\.([036])\.", r".layer.{1//3}.convolution."),
        (r"\.layers\.([147])\.", r".layer.{1//3}.normalization."),
        (r"\.shortcut\.0\.", ".shortcut.convolution."),
        (r"\.shortcut\.1\.", ".shortcut.normalization."),
        (r"^stage(\d)\.(\d+)\.", r"encoder.stages.{1-1}.layers.\2."),
        (r"^head\.\d+\.", "classifier.1."),
    ],
    prefix="resnet.",
    heads=r"^classifier\.",
)
NAMES = {"torchvision": TORCHVISION, "timm": TORCHVISION, "hf": HF}
