"""Names of MobileNetV2's weights, as torchvision publishes them."""

from dlx.name_maps import NameMap

FIRSTS = (1, 2, 4, 7, 11, 14, 17)  # number of the first block of each stage, there counted from end to end
LAYERS_BEFORE = 7  # a stage begins with the layers of its first block, 0 to 7; each residual block after it is one


def _stage(stage: int, first: int) -> list[tuple[str, str]]:
    """Return renames of a stage's parameters to `block`, its number and that of the layer in it."""
    shift = first - LAYERS_BEFORE
    number = f"{{1+{shift}}}" if shift >= 0 else f"{{1-{-shift}}}"
    return [
        (rf"^stage{stage}\.(\d+)\.layers\.", f"block.{number}."),
        (rf"^stage{stage}\.(\d+)\.", rf"block.{first}.\1."),
    ]


TORCHVISION = NameMap(
    [
        (r"^stem\.", "features.0."),
        (r"^last\.", "features.18."),
        (r"^stage1\.0\.", "features.1.conv.0.0."),  # the first block does not widen
        (r"^stage1\.1\.", "features.1.conv.0.1."),
        (r"^stage1\.3\.", "features.1.conv.1."),
        (r"^stage1\.4\.", "features.1.conv.2."),
        *(rename for stage, first in enumerate(FIRSTS, 1) for rename in _stage(stage, first)),
        (r"^block\.(\d+)\.([01])\.", r"features.\1.conv.0.\2."),
        (r"^block\.(\d+)\.([34])\.", r"features.\1.conv.1.{2-3}."),
        (r"^block\.(\d+)\.([67])\.", r"features.\1.conv.{2-4}."),
        (r"^head\.\d+\.", "classifier.1."),
    ],
    heads=r"^classifier\.",
)
NAMES = {"torchvision": TORCHVISION}
