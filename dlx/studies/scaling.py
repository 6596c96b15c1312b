"""Scaling laws: how a loss falls with the size of the network, the number of samples, and compute.

A power law loss = a · x^(−α) is a line in the logarithms. It is fitted to the trials that are best for what they spent:
of each size the best one; of compute those that no cheaper trial beats. Source: Kaplan et al. 2020, arXiv:2001.08361.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlx.engine.build.experiment import select_rows
from dlx.engine.data.verify import read_planned_data
from dlx.plan import Plan, make
from dlx.plan.study import load_trial
from dlx.recipe.load import LoadedRecipe
from dlx.studies.journal import Trial

MIN_POINTS = 3
"""A line through fewer points has no interval."""
CONFIDENCE = 0.95
FORWARD_AND_BACKWARD = 3
"""Passes of training in units of the forward pass: backward takes two."""
Spending = dict[str, float]
"""What a trial spent: `parameters`, `samples` that it learned from, and `compute` in floating-point operations."""


@dataclass(frozen=True)
class PowerLaw:
    """A fitted law, loss = coefficient · x^(−exponent), with the interval of its exponent.

    x, loss  the points that were fitted, rising in x
    others   all trials, as pairs of x and loss
    """

    quantity: str
    exponent: float
    low: float
    high: float
    coefficient: float
    x: list[float]
    loss: list[float]
    others: list[tuple[float, float]]

    def at(self, x: float) -> float:
        """Return the loss that the law gives."""
        return self.coefficient * math.pow(x, -self.exponent)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dict(vars(self))

    def __str__(self) -> str:
        return f"loss ∝ {self.quantity}^−{self.exponent:.3f} [{self.low:.3f}, {self.high:.3f}], {len(self.x)} points"


def fit_laws(
    quantities: Iterable[str], loaded: LoadedRecipe, trials: Iterable[Trial]
) -> tuple[dict[str, PowerLaw], list[str]]:
    """Fit a power law against each quantity; return those that can be fitted, and why others cannot."""
    wanted = list(quantities)
    known = [t for t in trials if t.value is not None and math.isfinite(t.value) and t.value > 0] if wanted else []
    spent = [spending_of(make(load_trial(loaded, trial.params))) for trial in known]
    laws: dict[str, PowerLaw] = {}
    notes: list[str] = []
    for quantity in wanted:
        pairs = [(s[quantity], float(t.value or 0.0)) for s, t in zip(spent, known, strict=True)]
        points = frontier(pairs) if quantity == "compute" else best_of_each(pairs)
        if len(points) < MIN_POINTS:
            notes.append(f"no power law of {quantity}: it takes {MIN_POINTS} values of it, and there are {len(points)}")
        else:
            laws[quantity] = fit_power_law(quantity, points, pairs)
    return laws, notes


def spending_of(plan: Plan) -> Spending:
    """Return what training a plan spends."""
    samples = len(select_rows(plan, plan.prepared or read_planned_data(plan), "train"))
    seen = plan.length.steps / plan.length.steps_per_epoch * samples
    quantities = plan.quantities
    flops = FORWARD_AND_BACKWARD * quantities["plan/flops"] * seen
    return {"parameters": float(quantities["plan/parameters"]), "samples": float(samples), "compute": float(flops)}


def best_of_each(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the lowest loss for each x."""
    best: dict[float, float] = {}
    for x, loss in pairs:
        best[x] = min(loss, best.get(x, math.inf))
    return sorted(best.items())


def frontier(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the pairs that have a lower loss than every one with a smaller x (the Pareto frontier)."""
    found: list[tuple[float, float]] = []
    for x, loss in best_of_each(pairs):
        if not found or loss < found[-1][1]:
            found.append((x, loss))
    return found


def fit_power_law(
    quantity: str, points: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]] = ()
) -> PowerLaw:
    """Fit a power law to points by least squares in the logarithms; the interval is Student's t of the slope."""
    from scipy import stats

    xs, losses = zip(*points, strict=True)
    found = stats.linregress([math.log(x) for x in xs], [math.log(loss) for loss in losses])
    width = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(xs) - 2) * found.stderr)
    exponent = -float(found.slope)
    return PowerLaw(
        quantity, exponent, exponent - width, exponent + width, math.exp(float(found.intercept)),
        list(xs), list(losses), list(others or points),
    )  # fmt: skip


def law_metrics(laws: Mapping[str, PowerLaw]) -> dict[str, float]:
    """Return the exponents, and the ends of their intervals, as metrics of a study."""
    return {
        f"sweep/power_law/{name}{end}": value
        for name, law in laws.items()
        for end, value in (("", law.exponent), ("/low", law.low), ("/high", law.high))
    }
