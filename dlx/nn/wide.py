"""Double precision where the device has it: a target's units must not be rounded before its mean is taken off."""

from __future__ import annotations

import torch

WIDE = torch.float32 if torch.backends.mps.is_available() else torch.float64
"""The widest floating-point type that all devices of this machine compute in."""
