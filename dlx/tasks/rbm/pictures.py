"""Pictures of a machine: what it dreams, and to what its hidden units listen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlx.tasks._samples import sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(made: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw dreams and weights, where they are images."""
    titles = {"samples": "dreams of the machine", "filters": "weights of hidden units"}
    return {name: sheet(made[name], f"{len(made[name])} {title}") for name, title in titles.items() if name in made}
