"""No node can take a name that a module needs for itself."""

import pytest
from torch import nn
from typing_extensions import get_protocol_members, is_protocol

from dlx.layers import Layer
from dlx.layers._names import RESERVED
from dlx.nn import protocols

OF_TASKS = {
    "Samples", "Embeds", "Generates", "HasTexts", "HasOutputs", "HasNotes", "HasGradientNorms", "ComparesFeatures",
    "EvaluatesPredictions", "HasBaselines", "HasCriterion",
}  # fmt: skip
"""Protocols that are asked of the module of a task, never of a layer."""
PROTOCOLS = [value for name, value in vars(protocols).items() if is_protocol(value) and name not in OF_TASKS]


@pytest.mark.parametrize("container", [nn.Module(), nn.Sequential(), nn.ModuleDict(), nn.ModuleList()])
def test_whatever_torch_has_is_taken(container):
    names = {name for name in [*dir(type(container)), *vars(container)] if not name.startswith("_")}
    assert {name for name in names if is_torchs(container, name)} <= RESERVED


def is_torchs(container, name):
    """Say whether torch itself, and no other library that is imported, gives a module this."""
    home = getattr(getattr(container, name, None), "__module__", None) or "torch"
    return home.partition(".")[0] in ("torch", "typing", "builtins")


def test_what_the_contract_of_layers_asks_of_modules_is_taken():
    members = {name for protocol in PROTOCOLS for name in get_protocol_members(protocol)} - {"weight"}
    assert {"takes_context", "forward", *members} <= RESERVED


@pytest.mark.parametrize("name", ["forward", "takes_context", "_modules", "a.b", ""])
def test_a_name_that_no_module_can_hold_is_refused(name):
    with pytest.raises(ValueError):
        Layer.model_validate({"type": "linear", "features": 3, "name": name})
    assert Layer.model_validate({"type": "linear", "features": 3, "name": "stem"}).name == "stem"
