from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.facts import DataFacts, Kind
from dlx.metrics import Metric

if TYPE_CHECKING:
    import torchmetrics


class ExactMatch(Metric):
    """Exact match: the fraction of texts that are generated exactly as the reference, token for token.

    Shapes:  lists of tokens and lists of tokens.
    Units:   a fraction.

    Example:
        exact_match
    """

    target_kinds: ClassVar[tuple[Kind, ...]] = ("tokens",)
    type: Literal["exact_match"] = "exact_match"

    def build(self, facts: DataFacts) -> torchmetrics.Metric:
        from dlx.metrics.exact_match.module import ExactMatchRate

        return ExactMatchRate()
