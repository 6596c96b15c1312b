"""Permission to change: whether a field of the recipe may differ when a run goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Permission:
    """Whether a field may differ when a run goes on: "free", "fixed", or "ask" where nothing is said."""

    name: Literal["free", "fixed"]


FREE, FIXED = Permission("free"), Permission("fixed")
