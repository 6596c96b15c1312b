"""Strategies: how one training is spread over several devices."""

from __future__ import annotations

from typing import Any

from dlx.component import Component


class Strategy(Component):
    """A way to use several processes or devices."""

    family = "strategies"

    def build(self) -> Any:
        """Return what `pytorch_lightning.Trainer(strategy=…)` takes."""
        raise NotImplementedError
