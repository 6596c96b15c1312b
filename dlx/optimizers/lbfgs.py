from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.optimizers import Groups, Optimizer

if TYPE_CHECKING:
    import torch


class LBFGS(Optimizer):
    """L-BFGS: quasi-Newton steps, with the curvature estimated from the last gradients.

    θ ← θ − α H g, with H from the two-loop recursion over `history_size` differences, and α from a strong-Wolfe line
    search. Converges to many digits in few steps on a smooth loss; noise ruins the curvature estimate, so let a batch
    be the whole train split.

    Units:   a step evaluates the loss up to `max_eval` times; lr is the first step that the line search tries.
    Source:  Liu & Nocedal 1989, doi:10.1007/BF01589116; torch.optim.LBFGS.

    Example:
        {type: lbfgs, max_iter: 10}
    """

    type: Literal["lbfgs"] = "lbfgs"
    needs_closure: ClassVar[bool] = True
    needs_full_parameters: ClassVar[bool] = True
    lr: float = Field(1.0, gt=0)
    """Step size along the direction; the first one that the line search tries."""
    layer_decay: float = Field(1.0, ge=1, le=1)
    """Always 1: the direction is that of all parameters together."""
    layers_pattern: None = None
    """Always null, for the same reason."""
    no_decay: list[str] = Field(default_factory=list, max_length=0)
    """Always empty: there is no weight decay."""
    lr_scale: dict[str, float] = Field(default_factory=dict, max_length=0)
    """Always empty, for the same reason."""
    max_iter: int = Field(20, ge=1)
    """Maximum number of iterations in a step."""
    max_eval: int | None = Field(None, ge=1)
    """Maximum number of evaluations of the loss in a step; null is 5/4 of max_iter."""
    history_size: int = Field(10, ge=1)
    """Number of differences in the curvature estimate."""
    tolerance_grad: float = Field(1e-7, ge=0)
    """Termination tolerance on the largest element of the gradient."""
    tolerance_change: float = Field(1e-9, ge=0)
    """Termination tolerance on the change of the loss and of the parameters."""
    line_search_fn: Literal["strong_wolfe"] | None = "strong_wolfe"
    """The line search that chooses the step size; null takes lr as it is."""

    @property
    def state_per_parameter(self) -> float:  # type: ignore[override]
        return 2.0 * self.history_size + 2  # the differences, the last direction and the last gradient

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        import torch

        return torch.optim.LBFGS(
            [parameter for group in groups for parameter in group["params"]],
            lr=self.lr,
            max_iter=self.max_iter,
            max_eval=self.max_eval,
            tolerance_grad=self.tolerance_grad,
            tolerance_change=self.tolerance_change,
            history_size=self.history_size,
            line_search_fn=self.line_search_fn,
        )
