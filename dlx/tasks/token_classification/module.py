"""A class for every token.   B batch, T steps, K classes, N real steps of a batch."""

from __future__ import annotations

from torch import Tensor

from dlx.facts import IGNORED
from dlx.tasks import MASK
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._supervised.sequence_module import TARGET, StepsModule, negative_log_likelihood, real


class TokenClassificationModule(StepsModule):
    """One network that scores every class at every token."""

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the number of each token's class (B, T), −1 where there is padding."""
        codes_BT: Tensor = self.run(self.role, batch).argmax(-1)
        mask_BT = self.context_of(batch).get("mask")
        return codes_BT if mask_BT is None else codes_BT.masked_fill(~mask_BT, -1)

    def steps(self, scores_BTK: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._labeled(scores_BTK, batch), self._labeled(batch["target"], batch)

    def _labeled(self, values_BT: Tensor, batch: Batch) -> Tensor:
        """Return the values (N, …) of the tokens that have a class."""
        if not self.facts.ignored:
            return real(values_BT, batch)
        labeled_BT = batch["target"] != IGNORED
        mask_BT = batch.get(TARGET + MASK)
        return values_BT[labeled_BT if mask_BT is None else labeled_BT & mask_BT]

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        scores_NK = self._measure(batch)
        target_N = self._labeled(batch["target"], batch)
        rows_N = self._labeled(batch["rows"][:, None].expand_as(batch["target"]), batch)
        flat = {"rows": rows_N, "target": target_N}
        self.outputs.add(flat, self.predict(scores_NK), negative_log_likelihood(scores_NK, target_N))
