from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import PositiveInt

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.tensors import Cost, Record, Spec, Stats, TensorSpec
from dlx.unions import single_error

if TYPE_CHECKING:
    from torch import nn


class Columns(Layer):
    """Columns of a table as features: standardized numbers and embedded categories, as input of tabular networks.

    Numbers are standardized, (x − mean) / std, or mapped through the quantiles of the training data, which copes with
    long tails: quantile_uniform spreads them evenly over [−1, 1], quantile_normal makes them normal up to ±3.1. A
    missing number becomes the middle, 0, and every column with missing values gets a second feature, the missing-value
    indicator. Categories are looked up in a learned table (auto: as wide as 1.6 · categories^0.56), or one-hot encoded.
    The statistics are of the training data alone and are part of the checkpoint.

    Shapes:  {numeric: (N,), categorical: (M,)} → (F,); either field may be absent, or come alone as a tensor.
    Raises:  ShapeError if the input has other fields, or lacks the statistics or the numbers of categories.
    Source:  Guo & Berkhahn 2016, arXiv:1604.06737; the rule for auto is that of fast.ai.

    Example:
        {columns: {numeric: standardize, embedding: auto}}
    """

    primary: ClassVar[str] = "numeric"
    replaces_missing: ClassVar[bool] = True
    type: Literal["columns"] = "columns"
    numeric: Literal["standardize", "quantile_uniform", "quantile_normal"] = "standardize"
    """How numbers are scaled."""
    embedding: Annotated[
        Literal["auto", "one_hot"] | PositiveInt, single_error("auto, one_hot, or a positive whole number")
    ] = "auto"
    """Width of a category's learned vector, auto to choose it by the number of categories, or one_hot."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        fields = self._fields(x)
        features = sum(self._widths(fields))
        if "numeric" in fields:
            features += fields["numeric"].elements + len(_missing(fields["numeric"]))
        return TensorSpec((features,), "F")

    def cost(self, x: TensorSpec) -> Cost:
        fields = self._fields(x)
        total = Cost(activations=sum(field.elements for field in fields.values()))
        if "numeric" in fields:
            stats = _stats(fields["numeric"])
            per_column = 2 if self.numeric == "standardize" else len(stats.quantiles[0])
            total += Cost(buffers=per_column * len(stats.mean) + len(_missing(fields["numeric"])))
        if "categorical" not in fields:
            return total
        vocab = fields["categorical"].vocab
        if self.embedding == "one_hot":
            return total + Cost(buffers=len(vocab))
        return total + Cost(parameters=sum(n * w for n, w in zip(vocab, self._widths(fields), strict=True)))

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.columns import module

        fields = self._fields(x)
        numeric: nn.Module | None = None
        categorical: nn.Module | None = None
        if "numeric" in fields:
            stats, missing = _stats(fields["numeric"]), _missing(fields["numeric"])
            if self.numeric == "standardize":
                numeric = module.Standardize(stats.mean, stats.std, missing)
            else:
                numeric = module.QuantileTransform(stats.quantiles, missing, normal=self.numeric == "quantile_normal")
        if "categorical" in fields:
            vocab, unseen = fields["categorical"].vocab, _never_missing(fields["categorical"])
            one_hot = self.embedding == "one_hot"
            categorical = (
                module.OneHot(vocab, unseen) if one_hot else module.Embeddings(vocab, self._widths(fields), unseen)
            )
        return module.TableFeatures(numeric, categorical)

    def _fields(self, x: Spec) -> Record:
        """Return the input as a record with the fields numeric and categorical, whichever there are."""
        fields: Record = x if not isinstance(x, TensorSpec) else {"numeric" if x.is_float else "categorical": x}
        for name, field in fields.items():
            if name not in ("numeric", "categorical"):
                raise ShapeError(f"columns reads the fields numeric and categorical, but gets '{name}'")
            if field.axes != "F" or field.is_float != (name == "numeric"):
                raise ShapeError(
                    f"columns takes a row of columns, but {name} is {field.dtype} of {field} ({field.axes})"
                )
        if "numeric" in fields:
            self._check_statistics(fields["numeric"])
        if "categorical" in fields and len(fields["categorical"].vocab) != fields["categorical"].elements:
            raise ShapeError("columns needs to know how many categories each column has")
        return fields

    def _check_statistics(self, field: TensorSpec) -> None:
        stats = _stats(field)
        known = (stats.mean, stats.std) if self.numeric == "standardize" else (stats.mean, stats.quantiles)
        if any(len(values) != field.elements for values in known):
            raise ShapeError(f"columns: {self.numeric} needs the statistics of the training data, but gets none")

    def _widths(self, fields: Record) -> list[int]:
        """Return how many features each categorical column becomes."""
        vocab = fields["categorical"].vocab if "categorical" in fields else ()
        if isinstance(self.embedding, int):
            return [self.embedding] * len(vocab)
        return [n if self.embedding == "one_hot" else min(600, round(1.6 * n**0.56)) for n in vocab]


def _stats(field: TensorSpec) -> Stats:
    return field.stats or Stats()


def _never_missing(field: TensorSpec) -> tuple[bool, ...]:
    """Return of each column of categories whether train has no missing value, so that code 0 is never trained."""
    missing = _stats(field).missing
    return tuple(not absent for absent in missing) if missing else (False,) * len(field.vocab)


def _missing(field: TensorSpec) -> tuple[int, ...]:
    """Return which columns have missing values."""
    return tuple(i for i, missing in enumerate(_stats(field).missing) if missing)
