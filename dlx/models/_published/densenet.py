"""Names of DenseNet's weights, as torchvision and timm publish them."""

from dlx.name_maps import NameMap

TORCHVISION = NameMap(
    [
        (r"^stem\.0\.", "features.conv0."),
        (r"^stem\.1\.", "features.norm0."),
        (r"^block(\d)\.0\.(\d+)\.1\.", r"features.denseblock\1.denselayer{2+1}."),
        (r"(denselayer\d+)\.0\.", r"\1.norm1."),
        (r"(denselayer\d+)\.2\.", r"\1.conv1."),
        (r"(denselayer\d+)\.3\.", r"\1.norm2."),
        (r"(denselayer\d+)\.5\.", r"\1.conv2."),
        (r"^transition(\d)\.0\.", r"features.transition\1.norm."),
        (r"^transition(\d)\.2\.", r"features.transition\1.conv."),
        (r"^\d+\.", "features.norm5."),
        (r"^head\.\d+\.", "classifier."),
    ],
    synonyms=[(r"\.(norm|conv)\.(\d)\.", r".\1\2.")],  # files of 2017
    heads=r"^classifier\.",
)
NAMES = {"torchvision": TORCHVISION, "timm": TORCHVISION}
