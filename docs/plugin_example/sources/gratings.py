from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from dlx.sources import Column, Samples, Source


class Gratings(Source):
    """Gray images of stripes in four directions, with noise.

    Phase is random, so that no single pixel tells the class.

    Shapes:  image (1, 16, 16) of bytes; the class is "0°", "45°", "90°" or "135°".
    Units:   noise is a standard deviation, where the stripes go from −1 to 1.

    Example:
        {gratings: 600}
    """

    primary: ClassVar[str] = "samples"
    type: Literal["gratings"] = "gratings"
    samples: int = Field(600, ge=8)
    """How many images."""
    noise: float = Field(0.3, ge=0)
    """Gaussian noise on every pixel."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of directions, phases and noise."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        chance = np.random.default_rng(self.seed)
        label_N = chance.integers(0, 4, self.samples)
        angle_N, phase_N = label_N * np.pi / 4, chance.uniform(0, 2 * np.pi, self.samples)
        v_HW, u_HW = np.mgrid[0:16, 0:16]
        along_NHW = u_HW * np.cos(angle_N)[:, None, None] + v_HW * np.sin(angle_N)[:, None, None]
        light_NHW = np.cos(np.pi / 2 * along_NHW + phase_N[:, None, None])
        light_NHW = light_NHW + self.noise * chance.standard_normal(light_NHW.shape)
        image_NCHW = (127.5 + 63 * light_NHW).clip(0, 255).astype("uint8")[:, None]
        classes = ("0°", "45°", "90°", "135°")
        fields = {
            "image": Column(image_NCHW, "CHW", "image"),
            "direction": Column(label_N.astype("int64"), "", "categorical", classes),
        }
        return Samples(fields, ("image",), "direction")
