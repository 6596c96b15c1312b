from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dlx.layers import Layer
from dlx.models import Model
from dlx.models._blocks import dropout
from dlx.models._features import to_features
from dlx.tensors import Spec


class MLP(Model):
    """Multilayer perceptron (MLP): linear layers, each followed by an activation.

    For each hidden size: linear → norm → activation → dropout. With one hidden layer that is wide enough it
    approximates any continuous function; the task adds the last linear layer.

    Shapes:  any → (last hidden size,); a table goes through `columns`, everything else is flattened.
    Units:   dropout is a probability.
    Source:  Rumelhart, Hinton & Williams 1986, Nature 323.

    Example:
        {type: mlp, hidden: [64, 32], activation: relu, dropout: 0.1}
    """

    primary: ClassVar[str] = "hidden"
    type: Literal["mlp"] = "mlp"
    hidden: list[Annotated[int, Field(gt=0)]]
    """Sizes of the hidden layers, from input to output."""
    activation: Layer = Field(default="relu", validate_default=True)
    """Activation behind every linear layer."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that an activation is set to zero in training; 0 leaves the layer out."""
    norm: Layer | None = None
    """Norm between a linear layer and its activation, such as batch_norm."""

    def architecture(self, x: Spec) -> list[Any]:
        layers: list[Any] = to_features(x)
        for size in self.hidden:
            layers.append({"linear": size})
            layers += [self.norm] if self.norm is not None else []
            layers.append(self.activation)
            layers += dropout(self.dropout)
        return layers
