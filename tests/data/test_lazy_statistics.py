"""Statistics of images that stay on disk: of a sample from all of train, not of the first."""

import numpy as np
import pytest
from PIL import Image

from dlx.data import inputs
from dlx.data.prepare import prepare
from dlx.recipe.schema.data import Data


def images(folder, count):
    """Write images that are dark in the first class and bright in the second."""
    for number in range(count):
        label = "ab"[number >= count // 2]
        (folder / label).mkdir(exist_ok=True)
        shade = 40 if label == "a" else 200
        Image.fromarray(np.full((4, 4), shade, dtype=np.uint8)).save(folder / label / f"{number:05}.png")


@pytest.mark.parametrize("memory", [0.0, 1.0])
def test_images_of_all_classes_are_looked_at(memory, tmp_path, monkeypatch):
    images(tmp_path, 120)
    monkeypatch.setattr(inputs, "LAZY_SAMPLE", 40)
    source = {"image_folder": {"path": str(tmp_path), "channels": 1, "memory": memory}}
    facts = prepare(Data.model_validate({"source": source}), tmp_path, "classes").facts
    (stats,) = (facts.fields[name].stats for name in facts.inputs)
    assert (stats.low[0], stats.high[0]) == (40, 200)
    assert stats.mean[0] == pytest.approx(120, abs=25) and stats.std[0] == pytest.approx(80, abs=10)
