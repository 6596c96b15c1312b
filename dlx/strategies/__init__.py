"""Strategies: how one training is spread over several devices."""

from __future__ import annotations

from typing import Any, ClassVar

from dlx.component import Component


class Strategy(Component):
    """A way to use several processes or devices."""

    family = "strategies"
    most_devices: ClassVar[int | None] = None
    """How many devices it can use at most; None is as many as there are."""

    shards_parameters: ClassVar[bool] = False
    """Whether a device holds a shard of every parameter only, while it learns."""
    accelerators: ClassVar[tuple[str, ...]] = ()
    """Kinds of devices on which it works; all of them if none is named."""

    def build(self, in_turns: bool) -> Any:
        """Return what `pytorch_lightning.Trainer(strategy=…)` takes.

        in_turns  whether several networks move one after the other, each down a gradient of its own
        """
        raise NotImplementedError
