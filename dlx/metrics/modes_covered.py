from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Aspect
from dlx.metrics._generative import GenerativeMetric

if TYPE_CHECKING:
    import torchmetrics


class ModesCovered(GenerativeMetric):
    """Number of the data's modes that have a generated sample on them: fewer than there are is mode collapse.

    The classes of the data are its modes. A sample is on a mode if that is the nearest one, and not farther than
    `max_std` standard deviations of it.

    Units:   a number of modes.
    Source:  Srivastava et al. 2017, arXiv:1705.07761, section 5.1; there with the true means and deviations, here with
             those of the split that is evaluated.

    Example:
        {modes_covered: {max_std: 3.0}}
    """

    needs_classes: ClassVar[bool] = True
    aspect: ClassVar[Aspect] = "coverage"
    type: Literal["modes_covered"] = "modes_covered"
    max_std: float = Field(3.0, gt=0)
    """Distance from the mode, in standard deviations of one coordinate, up to which a sample is on it."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._generative_torch import ModeCoverage

        return ModeCoverage(self.max_samples, self.max_std, fraction=False)
