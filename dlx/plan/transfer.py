"""Checks of weights that come from elsewhere or do not move: whether the layers that a recipe names are there."""

from __future__ import annotations

from collections.abc import Mapping

from dlx.component import nearest
from dlx.errors import Loc, ShapeError
from dlx.plan.networks import NetworkPlan
from dlx.recipe.schema import Recipe
from dlx.recipe.transfer import chosen


def unmatched(recipe: Recipe, networks: Mapping[str, NetworkPlan]) -> list[ShapeError]:
    """Return what is wrong with the names of layers and networks in `init_from` and `freeze`."""
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
    for role, inside in paths.items():
        if inside and all(any(chosen(f.layers, p) and f.until is None for f in recipe.freeze) for p in inside):
            found.append(ShapeError(f"nothing is left of {role} that could learn", ("freeze",)))
    return found


def _nothing(pattern: str, layers: list[str]) -> str:
    near = nearest(pattern, layers)
    hint = (
        f"did you mean {near[0]}?" if near else f"there are {', '.join(layers[:6])}{', …' if len(layers) > 6 else ''}"
    )
    return f"no layer with weights is named '{pattern}'; {hint}"
