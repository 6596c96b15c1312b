"""Names of VGG's weights, as torchvision publishes them."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from dlx.name_maps import NameMap


def vgg_names(convolutions: Sequence[int], layers_each: int) -> Mapping[str, NameMap]:
    """Return the name maps of a network with so many convolutions in each stage, of so many layers each.

    There all layers of all stages are numbered, and each stage ends in a pool.
    """
    firsts = accumulate((times * layers_each + 1 for times in convolutions), initial=0)
    stages = [(rf"^stage{i}\.(\d+)\.", f"features.{{1+{first}}}.") for i, first in enumerate(firsts, 1)]
    dense = [(r"^dense\.0\.", "classifier.0."), (r"^dense\.\d+\.", "classifier.3."), (r"^head\.\d+\.", "classifier.6.")]
    return {"torchvision": NameMap([*stages, *dense], heads=r"^classifier\.6\.")}
