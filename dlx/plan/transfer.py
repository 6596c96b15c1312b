"""Checks of weights that come from elsewhere or do not move: whether the layers that a recipe names are there."""

from __future__ import annotations

from collections.abc import Mapping

from dlx.component import nearest
from dlx.errors import Loc, ShapeError
from dlx.plan.networks import NetworkPlan
from dlx.recipe.schema import Recipe
from dlx.recipe.transfer import InitFrom, chosen

MOST_NAMED = 3  # layers that do not fit
Networks = Mapping[str, NetworkPlan]
"""The networks of a plan by role."""


def unmatched(recipe: Recipe, networks: Networks, stages: Mapping[str, Networks]) -> list[ShapeError]:
    """Return what is wrong with the names of layers and networks in `init_from` and `freeze`.

    stages  the networks of earlier stages, as far as they are known, with which this one may begin
    """
    paths = {role: [row.path for row in plan.rows if row.cost.parameters] for role, plan in networks.items()}
    layers = [path for found in paths.values() for path in found]
    asked: list[tuple[Loc, str]] = [(("freeze", i, "layers"), entry.layers) for i, entry in enumerate(recipe.freeze)]
    found = []
    if recipe.init_from is not None:
        asked += [(("init_from", "only", i), pattern) for i, pattern in enumerate(recipe.init_from.only)]
        unknown = [role for role in recipe.init_from.roles if role not in networks]
        message = f"there is no such network; there are {', '.join(networks)}"
        found = [ShapeError(message, ("init_from", "roles", role)) for role in unknown]
    found += [ShapeError(_nothing(p, layers), loc) for loc, p in asked if not any(chosen(p, path) for path in layers)]
    if recipe.init_from is not None and not found:
        theirs = stages.get(recipe.init_from.stage or "")
        found = _unfitting(recipe.init_from, networks, theirs) if theirs is not None else []
    for role, inside in paths.items():
        if inside and all(any(chosen(f.layers, p) and f.until is None for f in recipe.freeze) for p in inside):
            found.append(ShapeError(f"nothing is left of {role} that could learn", ("freeze",)))
    return found


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
