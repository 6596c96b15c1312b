"""Checks of weights that come from elsewhere or do not move: whether the layers that a recipe names are there."""

from __future__ import annotations

from collections.abc import Mapping

from dlx.diagnostic import Loc
from dlx.errors import ShapeError
from dlx.nearest import nearest
from dlx.patterns import matches, matching_layers
from dlx.plan.networks import NetworkPlan
from dlx.recipe.schema.recipe import Recipe
from dlx.recipe.schema.transfer import InitFrom

MOST_NAMED = 3  # layers that do not fit
Networks = Mapping[str, NetworkPlan]
"""The networks of a plan by role."""


def unmatched(recipe: Recipe, networks: Networks, stages: Mapping[str, Networks]) -> list[ShapeError]:
    """Return what is wrong with the names of layers and networks in `init_from`, `freeze` and optimizers.

    stages  the networks of earlier stages, as far as they are known, with which this one may begin
    """
    paths = {role: learning(plan) for role, plan in networks.items()}
    layers = [path for found in paths.values() for path in found]
    found = []
    if recipe.init_from is not None:
        unknown = [role for role in recipe.init_from.roles if role not in networks]
        message = f"there is no such network; there are {', '.join(networks)}"
        found = [ShapeError(message, ("init_from", "roles", role)) for role in unknown]
    asked = _asked(recipe, paths, layers)
    found += [ShapeError(_nothing(p, there), loc) for loc, p, there in asked if not matching_layers(p, there)]
    if recipe.init_from is not None and not found:
        theirs = stages.get(recipe.init_from.stage or "")
        found = _unfitting(recipe.init_from, networks, theirs) if theirs is not None else []
    for role, inside in paths.items():
        if inside and all(any(matches(f.layers, p) and f.until is None for f in recipe.freeze) for p in inside):
            found.append(ShapeError(f"nothing is left of {role} that could learn", ("freeze",)))
    gradual = {i: matching_layers(entry.layers, layers) for i, entry in enumerate(recipe.freeze) if entry.gradual}
    alone = [i for i, names in gradual.items() if len(names) == 1]
    message = "this names one layer, which cannot begin to learn one by one; `body.*` names every layer of the body"
    return found + [ShapeError(message, ("freeze", i, "layers")) for i in alone]


def learning(network: NetworkPlan) -> list[str]:
    """Return the paths of a network's layers that have weights, in its order."""
    return [row.path for row in network.rows if row.cost.parameters]


def _asked(recipe: Recipe, paths: Mapping[str, list[str]], layers: list[str]) -> list[tuple[Loc, str, list[str]]]:
    """Return where a recipe names layers, each with the pattern and the layers among which it chooses."""
    beginning = recipe.init_from.only if recipe.init_from is not None else []
    asked: list[tuple[Loc, str, list[str]]] = []
    asked += [(("init_from", "only", i), pattern, layers) for i, pattern in enumerate(beginning)]
    asked += [(("freeze", i, "layers"), entry.layers, layers) for i, entry in enumerate(recipe.freeze)]
    for role, optimizer in recipe.optimizer.items():
        there = paths.get(role, layers)
        asked += [(("optimizer", role, "lr_scale", glob), glob, there) for glob in optimizer.lr_scale]
        if optimizer.layers_pattern is not None:
            asked.append((("optimizer", role, "layers_pattern"), optimizer.layers_pattern, there))
    return asked


def _unfitting(how: InitFrom, networks: Networks, theirs: Networks) -> list[ShapeError]:
    """Return which layers begin with those of an earlier stage but are not the same there."""
    try:
        pairs = how.pairs(list(networks), list(theirs), f"the stage {how.stage}")
    except ValueError as error:
        return [ShapeError(str(error), ("init_from",))]
    wrong = []
    for role, other in pairs.items():
        there = {row.path: row.cost.parameters for row in theirs[other].rows}
        mine = {row.path: row.cost.parameters for row in networks[role].rows if row.cost.parameters}
        taken = [path for path in mine if how.takes(path) and there.get(path) != mine[path]]
        wrong += [_other(path, mine[path], there.get(path)) for path in taken]
    if not wrong:
        return []
    more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
    listed = f"{'; '.join(wrong[:MOST_NAMED])}{more}"
    return [ShapeError(f"the stage {how.stage} has other layers: {listed}; choose layers with `only`", ("init_from",))]


def _other(path: str, here: int, there: int | None) -> str:
    return f"{path} has {here:,} parameters here, " + ("and is not there" if not there else f"{there:,} there")


def _nothing(pattern: str, layers: list[str]) -> str:
    near = nearest(pattern, layers)
    hint = (
        f"did you mean {near[0]}?" if near else f"there are {', '.join(layers[:6])}{', …' if len(layers) > 6 else ''}"
    )
    return f"no layer with weights is named '{pattern}'; {hint}"
