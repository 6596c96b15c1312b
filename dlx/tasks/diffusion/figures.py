"""Pictures of a diffusion: what it makes, and how that comes out of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx.figures.samples import clouds, sheet, strips

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlx.tasks._unsupervised.module import EvaluationArrays


def draw(shown: EvaluationArrays) -> dict[str, Figure]:
    """Draw samples: a sheet of images and how some of them came out of noise, or points over those of the data."""
    samples, moments = shown.made["samples"], shown.made["moments"]
    if samples.ndim == 4:
        between = [f"{100 * k / (len(moments) - 1):.0f} % of the way" for k in range(1, len(moments) - 1)]
        names = ["from noise", *between, "sample"]
        return {
            "samples": sheet(samples),
            "denoising": strips(moments, names, "What is believed on the way from noise"),
        }
    if samples.shape[1] < 2:
        return {}
    real = shown.values["seen"]
    return {"samples": clouds(real, samples, f"{len(samples)} samples over {len(real)} of the test split")}
