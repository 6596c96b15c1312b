from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from dlx.component import Component
from dlx.regularizers import Regularizer


class WeightDecay(Regularizer):
    """Pulls weights toward zero in every step, by the optimizer's own rule.

