"""What metrics share that hold samples that were made against samples of the data."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from dlx.facts import Kind
from dlx.metrics import Metric


class MadeMetric(Metric):
    """A number that says how much samples that were made are like those of the data.

    What `build` makes is updated with (made, real, classes of the real ones or None), batch by batch.
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("samples",)
    samples: int = Field(2000, ge=2)
    """At most this many samples of each are held against one another, the first of a split."""
