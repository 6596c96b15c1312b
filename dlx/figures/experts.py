"""Load balancing: how evenly the experts of a mixture are used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dlx.figures.base import BLUE, GRAY, new_figure, set_title, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 3


def expert_use(tallies: Mapping[str, np.ndarray]) -> Figure:
    """Draw for every mixture-of-experts layer the fraction of tokens of each expert; the dashed line is even use."""
    across = min(len(tallies), ACROSS)
    down = math.ceil(len(tallies) / across)
    figure = new_figure(3.4 * across + 0.4, 2.6 * down + 0.3)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes in grid.flat[len(tallies) :]:
        axes.set_axis_off()
    for axes, (name, tally_E) in zip(grid.flat, tallies.items(), strict=False):
        share_E = tally_E / max(tally_E.sum(), 1)
        axes.bar(np.arange(1, len(share_E) + 1), share_E, color=BLUE, edgecolor="white")
        axes.axhline(1 / len(share_E), linestyle="--", color=GRAY, linewidth=1)
        axes.set_xticks(np.arange(1, len(share_E) + 1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.set_xlabel(short(name, 34), fontsize=8)
        set_title(axes, f"least {share_E.min():.1%}, most {share_E.max():.1%}", size=9)
    grid[0, 0].set_ylabel("fraction of tokens", fontsize=9)
    figure.suptitle("Fraction of tokens routed to each expert", fontsize=12, fontweight="bold")
    return figure
