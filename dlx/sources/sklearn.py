from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from dlx.sources import Column, Samples, Source


class Sklearn(Source):
    """Reads one of the small real data sets that come with scikit-learn.

    digits are 1,797 handwritten digits of 8×8 pixels in 0…16; iris (150), wine (178) and breast_cancer (569) are tables
    with classes; diabetes (442) is a table for regression, unscaled. No download: good for trials and lessons.

    Shapes:  digits: image (1, 8, 8); the others: one number per column.
    Source:  sklearn.datasets; UCI Machine Learning Repository.

    Example:
        {type: sklearn, dataset: digits}
    """

    primary: ClassVar[str] = "dataset"
    type: Literal["sklearn"] = "sklearn"
    dataset: Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]
    """Which data set."""

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        from sklearn import datasets

        loaders = {
            "digits": datasets.load_digits,
            "iris": datasets.load_iris,
            "wine": datasets.load_wine,
            "breast_cancer": datasets.load_breast_cancer,
            "diabetes": lambda: datasets.load_diabetes(scaled=False),
        }
        bunch = loaders[self.dataset]()
        inputs = _images(bunch) if "images" in bunch else _table(bunch)
        return Samples({**inputs, "target": _target(bunch)}, tuple(inputs), "target")


def _images(bunch: Any) -> dict[str, Column]:
    return {"image": Column(bunch.images.astype("uint8")[:, None], "CHW", "image")}


def _table(bunch: Any) -> dict[str, Column]:
    return {str(name): Column(bunch.data[:, i].copy(), "", "numeric") for i, name in enumerate(bunch.feature_names)}


def _target(bunch: Any) -> Column:
    if "target_names" not in bunch:
        return Column(bunch.target.astype("float64"), "", "numeric")
    return Column(bunch.target.astype("int64"), "", "categorical", tuple(str(name) for name in bunch.target_names))
