"""Claims: recipes are run for what their `expect` says, as `dlx test` does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import dlx.plan
from dlx.engine.runs.outcome import ClaimVerdict, evaluate_claims, group_baselines
from dlx.errors import DlxError, RecipeError
from dlx.recipe.load import load
from dlx.recipe.schema.claims import describe_origin


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on one claim of a recipe: `held`, `failed`, `error`, or `no claims`.

    source, baseline, post_hoc  where the bound comes from, as in the recipe
    measured                    what the run's own baselines reach
    """

    recipe: str
    metric: str | None
    claim: Any
    value: float | None
    verdict: str
    seconds: float
    trained: bool
    message: str = ""
    source: str = ""
    baseline: Mapping[str, float] = field(default_factory=dict)
    post_hoc: bool = False
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        """Whether nothing speaks against the claim."""
        return self.verdict in ("held", "no claims")

    @property
    def origin(self) -> str:
        """Where the bound comes from, in a few words."""
        return describe_origin(self.source, self.baseline, self.post_hoc)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def check_recipe(path: Path, root: Path = Path("runs"), console: Any = None) -> list[ClaimResult]:
    """Check every claim of a recipe; it is trained only where a claim is about a metric of the run.

    An error is in the result, not raised, so that other recipes are tested as well.
    """
    began = time.monotonic()
    try:
        return _check_claims(path, root, console, began)
    except DlxError as error:
        message = str(error.diagnostics[0]) if isinstance(error, RecipeError) else str(error)
        return [ClaimResult(str(path), None, None, None, "error", time.monotonic() - began, False, message)]


def _check_claims(path: Path, root: Path, console: Any, began: float) -> list[ClaimResult]:
    loaded = load(path)
    plan = dlx.plan.make(loaded)
    parts = plan.plans_by_prefix.items()
    known: dict[str, float] = {f"{p}{name}": value for p, part in parts for name, value in part.quantities.items()}
    claims = {f"{p}{name}": claim for p, part in parts for name, claim in part.recipe.expect.items()}
    trained = any(metric not in known for metric in claims)
    if trained:
        from dlx.engine.runs.stages import train

        known |= train(plan, loaded, console, root=root).metrics
    seconds = time.monotonic() - began
    if not claims:
        return [ClaimResult(str(path), None, None, None, "no claims", seconds, False)]
    measured = group_baselines(known)
    return [_result(str(path), v, seconds, trained, measured.get(v.metric, {})) for v in evaluate_claims(claims, known)]


def _result(
    recipe: str, verdict: ClaimVerdict, seconds: float, trained: bool, measured: Mapping[str, float]
) -> ClaimResult:
    return ClaimResult(
        recipe,
        verdict.metric,
        verdict.claim,
        verdict.value,
        "held" if verdict.held else "failed",
        seconds,
        trained,
        source=verdict.source,
        baseline=verdict.baseline,
        post_hoc=verdict.post_hoc,
        measured=measured,
    )
