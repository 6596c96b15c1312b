"""Figures of a diffusion model: its samples, and how they emerge from noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx.figures.samples import scatter, sheet, strips

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlx.tasks._base.evaluation import EvaluationArrays


def draw(arrays: EvaluationArrays) -> dict[str, Figure]:
    """Draw samples: a sheet of images and how some of them emerged from noise, or points over those of the data."""
    samples, moments = arrays.extras["samples"], arrays.extras["moments"]
    if samples.ndim == 4:
        between = [f"{100 * k / (len(moments) - 1):.0f} % of the steps" for k in range(1, len(moments) - 1)]
        names = ["from noise", *between, "sample"]
        return {
            "samples": sheet(samples),
            "denoising": strips(moments, names, "The predicted sample at each step from noise"),
        }
    if samples.shape[1] < 2:
        return {}
    real = arrays.values["inputs"]
    return {"samples": scatter(real, samples, f"{len(samples)} samples over {len(real)} of the test split")}
