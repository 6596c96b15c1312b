from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.layers import Child, Layer, build_children, infer_shape, walk
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class MixtureOfExperts(Layer):
    """Mixture of experts (MoE): a learned router sends every step to few of many experts.

    More parameters at the same work. The router gives each step a probability for each expert. The `top_k` most
    probable ones compute, and their results are added, weighted by these probabilities, which for top_k > 1 are
    normalized to add up to 1. With noisy_gating the logits in training are x W + ε softplus(x V), ε standard normal.
    The load balancing loss, load_balancing · num_experts · Σ fᵢ Pᵢ, keeps all experts in use: fᵢ is the fraction of
    choices that fell on expert i, Pᵢ its mean probability. Its minimum, where use is even, is `load_balancing`. Padding
    is not counted. The metric expert_balance is how often the least used expert is chosen, over the mean of all: 1
    where use is even, 0 where one is never chosen; of several such layers it is the minimum.

    The plan counts the multiply-adds of the experts that compute, and the parameters of all.

    Shapes:  (F,) or (T, F), kept.
    Raises:  ShapeError if top_k is more than there are experts, or an expert changes the shape or holds batch_norm.
    Source:  Shazeer et al. 2017, arXiv:1701.06538, whose noise noisy_gating is; loss: Fedus et al. 2021,
             arXiv:2101.03961. Deviation: no step is ever dropped.

    Example:
        {mixture_of_experts: {num_experts: 3, top_k: 2, expert: {feed_forward: 16}}}
    """

    metric_names: ClassVar[tuple[str, ...]] = ("expert_balance",)
    type: Literal["mixture_of_experts"] = "mixture_of_experts"
    expert: Layer
    """The layer of each expert, such as feed_forward; each has its own weights."""
    num_experts: int = Field(8, gt=1)
    """Number of experts."""
    top_k: int = Field(2, gt=0)
    """Number of experts that compute each step."""
    noisy_gating: bool = False
    """Whether noise of a learned size is added to the router's logits in training, so that all experts are tried."""
    load_balancing: float = Field(0.01, ge=0)
    """Weight of the load balancing loss."""

    @property
    def compares_samples(self) -> bool:
        """The load balancing loss is a product of means over a batch."""
        return self.load_balancing > 0

    def children(self, x: TensorSpec) -> list[Child]:
        step = self._step(x)
        experts = [Child(f"experts.{i}", ("expert",), self.expert, step) for i in range(self.num_experts)]
        noise = [Child("noise", (), self._router, step)] if self.noisy_gating else []
        return [Child("router", (), self._router, step), *noise, *experts]

    def shape(self, x: TensorSpec) -> TensorSpec:
        step = self._step(x)
        y = infer_shape(("expert",), self.expert, step)
        if not isinstance(y, TensorSpec) or y.dims != step.dims:
            raise ShapeError(f"an expert gives {y} for {step}, but must keep the shape", ("expert",))
        counting = next((layer for _, layer, _ in walk(self.expert, step) if layer.uses_batch_statistics), None)
        if counting is not None:
            message = f"{counting.type} measures a batch, but an expert may get a single step of it; use layer_norm"
            raise ShapeError(message, ("expert",))
        if self.top_k > self.num_experts:
            raise ShapeError(f"top_k {self.top_k} is more than {self.num_experts} experts")
        return x

    def cost(self, x: TensorSpec) -> Cost:
        step = self._step(x)
        features, expert, router = step.elements, self.expert.cost(step), self._router.cost(step)
        steps, gates = x.elements // features, 1 + self.noisy_gating
        return Cost(
            parameters=gates * router.parameters + self.num_experts * expert.parameters,
            buffers=self.num_experts * expert.buffers,
            macs=steps * (gates * router.macs + self.top_k * expert.macs),
            activations=steps
            * (self.top_k * (expert.activations + features) + features + 2 * gates * self.num_experts),
        )

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.mixture_of_experts.module import SparseMixture

        built = build_children(self.children(x))
        router, noise = built.pop("router"), built.pop("noise", None)
        return SparseMixture(router, noise, [*built.values()], self.top_k, self.load_balancing)

    @property
    def _router(self) -> Layer:
        """Return the layer that scores the experts for a step."""
        return Layer.model_validate({"linear": {"features": self.num_experts, "bias": False}})

    def _step(self, x: TensorSpec) -> TensorSpec:
        features = num_features(x, self.type, ("F", "TF"))
        return x.with_dims((features,), "F")
