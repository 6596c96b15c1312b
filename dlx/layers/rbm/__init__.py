from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer, require_axes
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class RBM(Layer):
    """Restricted Boltzmann machine (RBM): hidden units that switch on with probability σ(W v + c).

    Visible and hidden units share an energy, E(v, h) = −b·v − c·h − h·W v, of which the task `rbm` learns W, b and c
    without labels; bernoulli units are 0 or 1 and may be given as probabilities. For gaussian visible units −b·v is
    replaced by ‖v − b‖² / 2: they have deviation 1 around b + Wᵀ h. In a network the layer gives the hidden units'
    probabilities, so that a pretrained stack becomes a network of sigmoids.

    Shapes:  (F,) → (hidden,).
    Units:   gaussian visible units are standardized.
    Source:  Smolensky 1986; Hinton 2002, doi:10.1162/089976602760128018; weights start at a deviation of 0.01, as in
             Hinton 2012, doi:10.1007/978-3-642-35289-8_32.

    Example:
        {rbm: 16}
    """

    primary: ClassVar[str] = "hidden"
    is_energy_based: ClassVar[bool] = True
    type: Literal["rbm"] = "rbm"
    hidden: int = Field(gt=0)
    """Number of hidden units."""
    visible: Literal["bernoulli", "gaussian"] = "bernoulli"
    """Distribution of the visible units: 0 or 1, or normal."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        return require_axes(x, "F", self.type).with_dims((self.hidden,))

    def cost(self, x: TensorSpec) -> Cost:
        given = num_features(x, self.type, ("F",))
        return Cost(
            parameters=given * self.hidden + given + self.hidden,
            macs=given * self.hidden,
            activations=given + self.hidden,
        )

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.rbm.module import BoltzmannMachine

        return BoltzmannMachine(num_features(x, self.type, ("F",)), self.hidden, self.visible == "gaussian")
