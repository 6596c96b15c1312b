from __future__ import annotations

from typing import Any, ClassVar, Literal

from dlx.strategies import Strategy


class SingleDevice(Strategy):
    """Training on a single device.

    No communication; the reference for every other strategy.

    Source:  pytorch_lightning's SingleDeviceStrategy.

    Example:
        {type: single_device}
    """

    type: Literal["single_device"] = "single_device"
    most_devices: ClassVar[int | None] = 1

    def build(self, in_turns: bool) -> Any:
        return "auto"  # of one device: Lightning then chooses the device's own strategy
