from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Tells
from dlx.metrics._made import MadeMetric

if TYPE_CHECKING:
    import torchmetrics


class OnModes(MadeMetric):
    """The share of samples that were made which lie on one of the data's modes: the others are of low quality.

    The classes of the data are its modes. A sample is on a mode if that is the nearest, and not farther than `within`
    standard deviations of it. Of a gaussian in the plane, 98.9 % lie within three.

    Units:   from 0 to 1.
    Source:  Srivastava et al. 2017, arXiv:1705.07761, section 5.1.

    Example:
        {on_modes: {within: 3.0}}
    """

    by_class: ClassVar[bool] = True
    tells: ClassVar[Tells] = "quality"
    type: Literal["on_modes"] = "on_modes"
    within: float = Field(3.0, gt=0)
    """How many standard deviations, of one coordinate, a sample may be away from its mode."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._made_torch import Modes

        return Modes(self.samples, self.within, share=True)
