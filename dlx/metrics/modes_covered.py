from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Tells
from dlx.metrics._made import MadeMetric

if TYPE_CHECKING:
    import torchmetrics


class ModesCovered(MadeMetric):
    """How many of the data's modes have a sample that was made on them: fewer than there are is collapse.

    The classes of the data are its modes. A sample is on a mode if that is the nearest, and not farther than `within`
    standard deviations of it.

    Units:   a number of modes.
    Source:  Srivastava et al. 2017, arXiv:1705.07761, section 5.1; there with the true means and deviations, here with
             those of the split that is judged.

    Example:
        {modes_covered: {within: 3.0}}
    """

    by_class: ClassVar[bool] = True
    tells: ClassVar[Tells] = "coverage"
    type: Literal["modes_covered"] = "modes_covered"
    within: float = Field(3.0, gt=0)
    """How many standard deviations, of one coordinate, a sample may be away from its mode."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._made_torch import Modes

        return Modes(self.samples, self.within, share=False)
