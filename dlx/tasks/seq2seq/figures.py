"""Figures of translations: the attention to the source at each token that was generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.figures.base import new_figure, set_title, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlx.tasks.seq2seq.module import AttentionMap, Translations


def draw(translations: Translations) -> dict[str, Figure]:
    """Draw the attention in some translations."""
    return {"attention": attention(translations.attention)} if translations.attention else {}


def attention(maps: list[AttentionMap]) -> Figure:
    """Draw for each text the attention weights at each step (row) on the tokens of the source (columns)."""
    across = min(len(maps), 2)
    down = -(-len(maps) // across)
    widest, tallest = (max(len(tokens[k]) for tokens in maps) for k in (0, 1))
    figure = new_figure(
        across * float(np.clip(1.4 + 0.3 * widest, 3.2, 7)), down * float(np.clip(1.2 + 0.3 * tallest, 3.0, 7)) + 0.4
    )
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[len(maps) :]:
        axes.set_axis_off()
    for axes, (source, target, share_TS) in zip(grid.flat, maps, strict=False):
        axes.imshow(share_TS, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(source)), [short(token, 12) for token in source], fontsize=8, rotation=90)
        axes.set_yticks(range(len(target)), [short(token, 12) for token in target], fontsize=8)
        axes.tick_params(length=0)
        axes.set_xlabel("source", fontsize=9)
        axes.set_ylabel("generated", fontsize=9)
        set_title(axes, f"{share_TS.max(1).mean():.0%} on one token", size=9)
    figure.suptitle("Attention to the source at each generated token", fontsize=12, fontweight="bold")
    return figure
