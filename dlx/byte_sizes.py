"""Sizes in bytes, in words."""

from __future__ import annotations

UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def format_size(count: int) -> str:
    """Write a number of bytes as people do: `1.5 GiB`; integers of any size."""
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, len(UNITS))
    tenths = (count * 10) >> (10 * power)
    return f"{tenths // 10:,}.{tenths % 10} {UNITS[power - 1]}"
