"""Gradient norms over time: how far back the gradient of a recurrent layer reaches (vanishing gradients)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dlx.figures.base import BLUE, GREEN, ORANGE, new_figure, set_title, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TINY = 1e-20  # what is smaller is not drawn


def gradient_norm_by_step(norms: Mapping[str, np.ndarray]) -> Figure:
    """Draw, for every recurrent layer, the norm of the loss's gradient in the state after each step."""
    figure = new_figure(6.4, 3.6)
    axes = figure.add_subplot()
    for (name, norm_T), color in zip(norms.items(), (BLUE, ORANGE, GREEN, "black"), strict=False):
        shown = np.where(norm_T > TINY, norm_T, np.nan)
        axes.plot(np.arange(1, len(norm_T) + 1), shown, color=color, label=short(name, 30))
    axes.set_yscale("log")
    axes.set_xlabel("step of the sequence")
    axes.set_ylabel("gradient of the loss in the state")
    axes.spines[["top", "right"]].set_visible(False)
    if len(norms) > 1:
        axes.legend(frameon=False, fontsize=9)
    set_title(axes, _title(next(iter(norms.values()))))
    return figure


def _title(norm_T: np.ndarray) -> str:
    first, last = float(norm_T[0]), float(norm_T[-1])
    if min(first, last) <= TINY:
        return "The gradient vanishes at one end of the sequence"
    ratio = first / last
    return f"Gradient norm at the first step: {ratio:.{2 if ratio >= 0.01 else 1}g} times that at the last"
