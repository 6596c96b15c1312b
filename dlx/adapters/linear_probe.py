from __future__ import annotations

from typing import Literal

from dlx.adapters import Adapter


class LinearProbe(Adapter):
    """Linear probing: only the head learns, on the features of a network that stays as it is.

    The cheapest adapter, and the measure of what pretrained features are worth: a network that needs more than a new
    head will be far worse than with LoRA.

    Source:  Alain & Bengio 2016, arXiv:1610.01644.

    Example:
        {type: linear_probe}
    """

    type: Literal["linear_probe"] = "linear_probe"
