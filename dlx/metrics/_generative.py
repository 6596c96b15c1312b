"""Metrics of generated samples: what they share."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from dlx.facts import Kind
from dlx.metrics import Metric


class GenerativeMetric(Metric):
    """A number that measures how similar generated samples are to those of the data.

    What `build` returns is updated with (generated, real, classes of the real ones or None), batch by batch.
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("samples",)
    max_samples: int = Field(2000, ge=2)
    """At most this many generated samples are compared with as many of the data, the first of a split."""
