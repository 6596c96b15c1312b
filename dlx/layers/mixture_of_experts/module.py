"""Mixture of experts. N steps of the whole batch, F features, E experts, K chosen ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.nn.context import Context, mask_of


class SparseMixture(nn.Module):
    """Sparse mixture of experts: a weighted sum of the chosen experts; `metric_counts` counts choices in evaluation."""

    takes_context = True
    metric_counts: Tensor

    def __init__(
        self,
        router: nn.Module,
        noise: nn.Module | None,
        experts: Sequence[nn.Module],
        top_k: int,
        load_balancing: float,
    ) -> None:
        super().__init__()
        self.router = router
        self.noise = noise
        if noise is not None:
            nn.init.zeros_(noise.get_parameter("weight"))  # at first every logit has noise of the same size, ln 2
        self.experts = nn.ModuleList(experts)
        self.top_k, self.load_balancing = top_k, load_balancing
        self.auxiliary_loss: Tensor | None = None
        self.register_buffer("metric_counts", torch.zeros(len(experts)), persistent=False)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return x's shape."""
        x_NF = x.flatten(0, -2)
        probabilities_NE = self.logits(x_NF).softmax(-1)
        weights_NK, chosen_NK = probabilities_NE.topk(self.top_k, dim=-1)
        if self.top_k > 1:
            weights_NK = weights_NK / weights_NK.sum(-1, keepdim=True)
        self.auxiliary_loss = self._load_balancing_loss(
            probabilities_NE, chosen_NK, mask_of(context) if x.ndim > 2 else None
        )
        y_NF = torch.zeros_like(x_NF)
        for i, expert in enumerate(self.experts):
            step, rank = (chosen_NK == i).nonzero(as_tuple=True)
            part = expert(x_NF[step]) * weights_NK[step, rank].unsqueeze(-1).to(x.dtype)
            y_NF = y_NF.index_add(0, step, part.to(y_NF.dtype))
        return y_NF.view_as(x)

    def logits(self, x_NF: Tensor) -> Tensor:
        """Return the score of each expert for each step, (N, E), with noise in training where there is a gate of it."""
        logits_NE: Tensor = self.router(x_NF).float()
        if self.noise is None or not self.training:
            return logits_NE
        return logits_NE + torch.randn_like(logits_NE) * F.softplus(self.noise(x_NF).float())

    def _load_balancing_loss(self, probabilities_NE: Tensor, chosen_NK: Tensor, mask_BT: Tensor | None) -> Tensor:
        """Return the load balancing loss, which is least where experts are evenly used; count choices in evaluation."""
        if mask_BT is not None:
            real_N = mask_BT.flatten()
            probabilities_NE, chosen_NK = probabilities_NE[real_N], chosen_NK[real_N]
        count = len(self.experts)
        chosen_E = torch.bincount(chosen_NK.flatten(), minlength=count)
        if not self.training:
            self.metric_counts += chosen_E
        return self.load_balancing * count * (chosen_E / max(chosen_NK.numel(), 1) * probabilities_NE.mean(0)).sum()

    def compute_metrics(self, counts_E: Tensor) -> dict[str, Tensor]:
        """Return how often the least used expert was chosen, over the mean of all."""
        return {"expert_balance": counts_E.min() / counts_E.mean().clamp(min=1)}
