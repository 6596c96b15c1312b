"""Token classification: a class for every token.   B batch, T steps, K classes, N real steps of a batch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import one_hot

from dlx.nn.ignored import drop_ignored
from dlx.nn.protocols import Batch
from dlx.tasks._supervised.sequence_module import SequenceModule, negative_log_likelihood, real_steps


class TokenClassificationModule(SequenceModule):
    """One network that gives logits of every class at every token."""

    def build_criterion(self) -> nn.Module:
        return self.task.loss.build_elementwise(self.facts)

    def select_steps(self, values_BT: Tensor, batch: Batch) -> Tensor:
        """Return the values (N, …) of the tokens that have a class."""
        values_NX = real_steps(values_BT, batch)
        return drop_ignored(values_NX, real_steps(batch["target"], batch))[0] if self.facts.ignored else values_NX

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the index of each token's class (B, T), −1 where there is padding."""
        index_BT: Tensor = self.network_output(self.role, batch).argmax(-1)
        mask_BT = self.context_of(batch).get("mask")
        return index_BT if mask_BT is None else index_BT.masked_fill(~mask_BT, -1)

    def evaluate_predictions(self, predictions: Tensor, batch: Batch) -> None:
        """Update the metrics with the classes (B, T) of tokens, which may be padded further, each as if certain."""
        found_N = self.select_steps(predictions[:, : batch["target"].shape[1]], batch)
        certain_NK = one_hot(found_N.clamp(min=0).long(), len(self.facts.classes)).float()
        self.update_metrics(certain_NK, self.loss_target(batch))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        logits_BTK = self.evaluate_batch(batch)
        prediction_NK, target_N = self.predictions_and_targets(logits_BTK, batch)
        rows_N = self.select_steps(batch["rows"][:, None].expand_as(batch["target"]), batch)
        losses_N = negative_log_likelihood(self.loss_output(logits_BTK, batch), target_N)
        self.outputs.add(rows_N, {"predictions": prediction_NK, "targets": target_N, "losses": losses_N})
