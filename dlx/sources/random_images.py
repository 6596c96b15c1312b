from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dlx.sources import Column, Samples, Source


class RandomImages(Source):
    """Random images with random classes: pixels of noise, independent of each other and of the class.

    For the plan and the speed of a network on images of a size, without the images; and to see how much a network
    can learn by heart, for all that it gets right is memory.

    Shapes:  images (channels, image_size, image_size), every byte as likely as another; the classes are "0", "1", ….
    Source:  Zhang et al. 2017, arXiv:1611.03530, section 2.1.

    Example:
        {type: random_images, image_size: 32, n_classes: 10}
    """

    type: Literal["random_images"] = "random_images"
    n_samples: int = Field(1000, ge=2)
    """How many images."""
    image_size: int = Field(28, gt=0)
    """Height and width."""
    channels: int = Field(3, gt=0)
    """Channels of each image."""
    n_classes: int = Field(10, ge=2)
    """How many classes; each has as many images as any other, up to one."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the images and the classes."""

    def memory_bytes(self) -> int:
        return self.n_samples * self.channels * self.image_size**2

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        import numpy as np

        random = np.random.default_rng(self.seed)
        shape = (self.n_samples, self.channels, self.image_size, self.image_size)
        image = Column(random.integers(256, size=shape, dtype=np.uint8), "CHW", "image")
        classes = tuple(str(k) for k in range(self.n_classes))
        labels = random.permutation(np.arange(self.n_samples) % self.n_classes)
        target = Column(labels, "", "categorical", classes)
        return Samples({"image": image, "target": target}, ("image",), "target")
