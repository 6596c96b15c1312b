from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.metrics import Aspect
from dlx.metrics._generative import GenerativeMetric

if TYPE_CHECKING:
    import torchmetrics


class OnModes(GenerativeMetric):
    """Fraction of the generated samples that lie on one of the data's modes: the others are of low quality.

    The classes of the data are its modes. A sample is on a mode if that is the nearest one, and not farther than
    `max_std` standard deviations of it. Of a Gaussian in the plane, 98.9 % lie within three.

    Units:   from 0 to 1.
    Source:  Srivastava et al. 2017, arXiv:1705.07761, section 5.1.

    Example:
        {on_modes: {max_std: 3.0}}
    """

    needs_classes: ClassVar[bool] = True
    aspect: ClassVar[Aspect] = "quality"
    type: Literal["on_modes"] = "on_modes"
    max_std: float = Field(3.0, gt=0)
    """Distance from the mode, in standard deviations of one coordinate, up to which a sample is on it."""

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics._generative_torch import ModeCoverage

        return ModeCoverage(self.max_samples, self.max_std, fraction=True)
