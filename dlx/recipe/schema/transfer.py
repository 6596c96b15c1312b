"""Transfer learning: the sections `init_from`, weights that come from another run, and `freeze`, layers not trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from dlx.component import Section
from dlx.errors import DataError
from dlx.files import path_from
from dlx.layer_names import check_pattern, weighted_layers
from dlx.patterns import matches, matching_layers, outermost_match
from dlx.rules import CheckContext, Problem, Rule
from dlx.weight_files import find_weight_files, read_shapes

if TYPE_CHECKING:
    from dlx.plan.networks import NetworkPlan

Networks = Mapping[str, "NetworkPlan"]
"""The networks of a plan by role."""
SHOWN = 3  # layers of another stage that a message lists


class NoSuchNetwork(Rule):
    """`init_from.roles` names a network that this recipe does not have.

    Why:      nothing would begin with those weights.
    Instead:  write one of the networks that the task trains, as `dlx plan` names them.
    """

    code: ClassVar[str] = "DLX461"


class OtherLayers(Rule):
    """The earlier stage has other layers than those that are to begin as its own ended.

    A layer takes the weights of the layer of the same name, which must be of the same shape.

    Why:      weights of another shape, or of no layer, cannot be taken over.
    Instead:  choose the layers that both have, by `only`.
    """

    code: ClassVar[str] = "DLX462"


class NothingLearns(Rule):
    """Every layer of a network is frozen for ever.

    Why:      training would change nothing.
    Instead:  freeze fewer layers, or say `until` when they begin to learn.
    Wrong:    freeze: ["*"]
    Right:    freeze: [{layers: "*", until: 0.5}]
    """

    code: ClassVar[str] = "DLX463"


class OneLayerGradually(Rule):
    """One layer is to begin to learn layer by layer.

    `gradual` wakes the layers that the glob names one by one, from the last to the first.

    Why:      one layer has no order, so that `gradual` would do nothing.
    Instead:  write a glob that names several layers, such as body.*.
    Wrong:    freeze: [{layers: head, until: 0.5, gradual: true}]
    Right:    freeze: [{layers: "*", until: 0.5, gradual: true}]
    """

    code: ClassVar[str] = "DLX464"


class NoWeightFile(Rule):
    """`init_from.file` names no weights that can be loaded.

    A file of weights is a safetensors file, or a folder with `model.safetensors` or its index, as the Hugging Face hub
    publishes them.

    Why:      a pickle (.pt, .pth, .bin) runs code as it is read; a file that is not there gives no weights.
    Instead:  write the path of a safetensors file, relative to the recipe; convert a pickle where you trust it.
    """

    code: ClassVar[str] = "DLX466"


class UnknownNames(Rule):
    """The model has no name map for the library that `init_from.names` names.

    Libraries call the same weights otherwise; each model knows the names of those that publish it.

    Why:      weights could not be told apart.
    Instead:  write one of the libraries that the message lists; or a model of that architecture as it is published.
    """

    code: ClassVar[str] = "DLX467"


class SeveralNetworks(Rule):
    """A file of weights is for one network, but the task trains several.

    Why:      it could not be told which of them begins with the weights.
    Instead:  train the network with the weights as a run of its own, and begin with that run.
    """

    code: ClassVar[str] = "DLX468"


class InitFrom(Section):
    """Transfer learning: initial weights from another run, an earlier stage of the same recipe, or a file.

    Every chosen weight must exist there with the same shape; all others are initialized as usual. Every tensor of a
    file must be used, except for buffers and heads; dlx names the tensors that it leaves out.
    """

    run: str | None = Field(None, min_length=1)
    """The run: its name, MLflow id, directory or checkpoint; of a run, its best weights."""
    stage: str | None = Field(None, min_length=1)
    """In a recipe with `stages`, the earlier stage instead of a run."""
    file: str | None = Field(None, min_length=1)
    """In place of a run, published weights: a safetensors file, or a folder that holds `model.safetensors` or its
    index, relative to the recipe.
    """
    names: Literal["dlx", "torchvision", "timm", "hf", "openai"] = "dlx"
    """Whose names the tensors of the file have: dlx's own, or those of the library that published the weights."""
    only: list[str] = Field(default_factory=lambda: ["*"], min_length=1)
    """Which layers, as `dlx plan` names them: `body` is all that is in it, `body.*.0` a glob."""
    roles: dict[str, str] = Field(default_factory=dict)
    """Which network of this recipe is initialized from which of the other run's, where they are not of one name; a
    network that is alone in its run needs no name. Where roles are given, networks that are not named do not take part.
    """

    @model_validator(mode="after")
    def _check_origin(self) -> InitFrom:
        if sum(origin is not None for origin in (self.run, self.stage, self.file)) != 1:
            raise ValueError("give one of run, stage and file to begin with")
        if self.names != "dlx" and self.file is None:
            raise ValueError("names are those of a file's tensors; give the file")
        return self

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if not context.networks:  # asked twice: the file is read once
            yield from self._check_file(context) if self.file is not None else ()
            return
        if self.file is not None and len(context.networks) > 1:
            yield SeveralNetworks.at(f"there are {', '.join(context.networks)}", "file")
        found = list(self._check_names(context))
        yield from found
        theirs = context.earlier_networks.get(self.stage or "")
        if theirs is not None and not found:
            yield from self._check_layers(context.networks, theirs)

    def file_path(self, base: Path) -> Path:
        """Return where the file lies, for a recipe in the folder `base`. Raises: DataError if it can be no path."""
        return path_from(base, str(self.file))

    def _check_file(self, context: CheckContext) -> Iterator[Problem]:
        try:
            read_shapes(find_weight_files(self.file_path(context.base)))
        except DataError as error:
            yield NoWeightFile.at(str(error), "file")
        for model in context.recipe.model.values():
            known = ["dlx", *model.name_maps()]
            if self.names not in known:
                message = f"{model.type}, as it is set here, has no names of {self.names}; there are {', '.join(known)}"
                yield UnknownNames.at(message, "names")

    def _check_names(self, context: CheckContext) -> Iterator[Problem]:
        for role in (role for role in self.roles if role not in context.networks):
            message = f"there is no such network; there are {', '.join(context.networks)}"
            yield NoSuchNetwork.at(message, "roles", role)
        for i, pattern in enumerate(self.only):
            yield from check_pattern(pattern, weighted_layers(context), "only", i)

    def _check_layers(self, mine: Networks, theirs: Networks) -> Iterator[Problem]:
        """Refuse layers that begin with those of an earlier stage but are not the same there."""
        try:
            pairs = self.match_networks(list(mine), list(theirs), f"the stage {self.stage}")
        except ValueError as error:
            yield OtherLayers.at(str(error))
            return
        wrong = []
        for role, other in pairs.items():
            there = {row.path: row.cost.parameters for row in theirs[other].rows}
            here = {row.path: row.cost.parameters for row in mine[role].rows if row.cost.parameters}
            taken = [path for path in here if self.selects(path) and there.get(path) != here[path]]
            wrong += [_other_layer(path, here[path], there.get(path)) for path in taken]
        if wrong:
            more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            listed = f"{'; '.join(wrong[:SHOWN])}{more}"
            yield OtherLayers.at(f"the stage {self.stage} has other layers: {listed}; choose layers with `only`")

    def match_networks(self, mine: Sequence[str], theirs: Sequence[str], origin: str) -> dict[str, str]:
        """Return which network of the other run, which `origin` names, each one begins as.

        Raises: ValueError that says how networks cannot be told.
        """
        if self.roles:
            pairs = dict(self.roles)
        elif len(mine) == len(theirs) == 1:
            pairs = {mine[0]: theirs[0]}
        else:
            pairs = {role: role for role in mine if role in theirs}
        if not pairs or any(other not in theirs for other in pairs.values()):
            here, there = ", ".join(mine), ", ".join(theirs)
            raise ValueError(f"{origin} holds {there}, this recipe {here}; say which is which in `roles`")
        return pairs

    def selects(self, name: str) -> bool:
        """Say whether a layer or weight is among those that are chosen."""
        return any(matches(pattern, name) for pattern in self.only)


def _other_layer(path: str, here: int, there: int | None) -> str:
    return f"{path} has {here:,} parameters here, " + ("and is not there" if not there else f"{there:,} there")


class FreezeEntry(Section):
    """Freezing: layers that are not trained, always or up to a step."""

    layers: str = Field(min_length=1)
    """Which layers, as `dlx plan` names them: `body` is all that is in it, `body.*.0` a glob."""
    until: float | None = Field(None, gt=0)
    """When they are unfrozen: a fraction of all steps, or steps if ≥ 1; null for never."""
    gradual: bool = False
    """Gradual unfreezing: whether the layers that the glob names are unfrozen one by one, the last of them first and
    all of them by `until`; of those in `body`, write `body.*`.
    """

    @model_validator(mode="after")
    def _check_until(self) -> FreezeEntry:
        if self.gradual and self.until is None:
            raise ValueError("gradual unfreezing needs `until`: when the last of the layers is unfrozen")
        return self

    def check(self, context: CheckContext) -> Iterable[Problem]:
        if not context.networks:
            return
        layers = weighted_layers(context)
        yield from check_pattern(self.layers, layers, "layers")
        if self.gradual and len(matching_layers(self.layers, layers)) == 1:
            message = "this names one layer, which cannot begin to learn one by one; `body.*` names every layer of the"
            yield OneLayerGradually.at(f"{message} body", "layers")


def check_some_layer_learns(frozen: Sequence[FreezeEntry], context: CheckContext) -> Iterator[Problem]:
    """Refuse to freeze all layers of a network for ever."""
    for role, network in context.networks.items():
        layers = network.weighted_layers
        if layers and all(is_frozen(frozen, layer) for layer in layers):
            yield NothingLearns.at(f"nothing is left of {role} that could learn", "freeze")


def is_frozen(frozen: Sequence[FreezeEntry], layer: str) -> bool:
    """Say whether a layer or weight never learns."""
    return any(entry.until is None and matches(entry.layers, layer) for entry in frozen)


def first_training_step(frozen: Sequence[FreezeEntry], weights: Sequence[str], steps: int) -> Callable[[str], float]:
    """Return what says from which step a layer or weight learns: the latest of all that is said of it, inf for never.

    weights  all names of weights or layers with weights, in the order of the network
    """
    orders = [matching_layers(entry.layers, weights) if entry.gradual else [] for entry in frozen]

    def step(name: str) -> float:
        return max((_end(e, order, outermost_match(e.layers, name), steps) for e, order in pairs), default=0.0)

    pairs = list(zip(frozen, orders, strict=True))
    return step


def _end(entry: FreezeEntry, order: Sequence[str], layer: str | None, steps: int) -> float:
    """Return the step from which a layer that is named learns, of which None is none."""
    if layer is None:
        return 0.0
    if entry.until is None:
        return math.inf
    end = entry.until * steps if entry.until < 1 else entry.until
    return end * (len(order) - order.index(layer)) / len(order) if layer in order else end


def _read_run(value: Any) -> Any:
    return {"run": value} if isinstance(value, str) else value


def _read_freeze(value: Any) -> Any:
    """Read names of layers as layers that never learn; one needs no list, and null is none."""
    entries = [] if value is None else [value] if isinstance(value, (str, Mapping)) else value
    return [{"layers": e} if isinstance(e, str) else e for e in entries] if isinstance(entries, list) else value


InitFromField = Annotated[InitFrom | None, BeforeValidator(_read_run, json_schema_input_type=InitFrom | str | None)]
_Layers = str | FreezeEntry
_READ_FROZEN = BeforeValidator(_read_freeze, json_schema_input_type=_Layers | list[_Layers] | None)
FreezeField = Annotated[list[FreezeEntry], _READ_FROZEN]
