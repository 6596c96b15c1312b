from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dlx.sources import Column, Samples, Source

if TYPE_CHECKING:
    import numpy as np

CLASSES = ("background", "circle", "square", "triangle")


class Shapes(Source):
    """Shapes: circles, squares and triangles of random size, position and brightness on noise, with segmentation masks.

    For segmentation without a file: later shapes lie over earlier ones.

    Shapes:  image (1, image_size, image_size), 0 … 255; the target is a mask (image_size, image_size) of four classes.
    Units:   noise is a standard deviation in steps of 0 … 255.

    Example:
        {type: shapes, n_samples: 500, image_size: 48}
    """

    type: Literal["shapes"] = "shapes"
    n_samples: int = Field(1000, ge=1)
    """How many images."""
    image_size: int = Field(64, ge=16)
    """Height and width."""
    max_objects: int = Field(4, ge=1)
    """At most this many shapes in an image; at least one."""
    noise: float = Field(20.0, ge=0)
    """Gaussian noise on every pixel."""
    seed: int = Field(0, ge=0)
    """Seed of the shapes and of the noise."""

    def memory_bytes(self) -> int:
        return self.n_samples * self.image_size**2 * 17

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        random = np.random.default_rng(self.seed)
        masks_NHW = np.zeros((self.n_samples, self.image_size, self.image_size), dtype=np.int64)
        images_NHW = np.full(masks_NHW.shape, random.uniform(20, 80, (self.n_samples, 1, 1)))
        for image_HW, mask_HW in zip(images_NHW, masks_NHW, strict=True):
            for _ in range(random.integers(1, self.max_objects + 1)):
                code = int(random.integers(1, len(CLASSES)))
                inside_HW = self._pixel_mask(code, random)
                mask_HW[inside_HW] = code
                image_HW[inside_HW] = random.uniform(120, 235)
        images_NHW += self.noise * random.standard_normal(images_NHW.shape)
        pixels = np.clip(np.rint(images_NHW), 0, 255).astype(np.uint8)[:, None]
        target = Column(masks_NHW, "HW", "categorical", CLASSES)
        return Samples({"image": Column(pixels, "CHW", "image"), "target": target}, ("image",), "target")

    def _pixel_mask(self, code: int, random: np.random.Generator) -> np.ndarray:
        """Return which pixels a shape covers; all three reach `radius` from their center."""
        import numpy as np

        radius = random.uniform(0.1, 0.25) * self.image_size
        y, x = (np.arange(self.image_size) - random.uniform(radius, self.image_size - radius) for _ in range(2))
        y_HW, x_HW = np.meshgrid(y, x, indexing="ij")
        covered: tuple[np.ndarray, ...] = (
            x_HW**2 + y_HW**2 <= radius**2,
            np.maximum(abs(x_HW), abs(y_HW)) <= radius,
            (abs(x_HW) <= (y_HW + radius) / 2) & (y_HW <= radius),
        )
        return covered[code - 1]
