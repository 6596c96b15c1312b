"""Names of AlexNet's weights, as torchvision publishes them."""

from dlx.name_maps import NameMap

TORCHVISION = NameMap(
    [
        (r"^conv1\.", "features.0."),
        (r"^conv2\.", "features.3."),
        (r"^conv3\.", "features.6."),
        (r"^conv4\.", "features.8."),
        (r"^conv5\.", "features.10."),
        (r"^fc6\.", "classifier.1."),
        (r"^fc7\.", "classifier.4."),
        (r"^head\.\d+\.", "classifier.6."),
    ],
    heads=r"^classifier\.6\.",
)
NAMES = {"torchvision": TORCHVISION}
