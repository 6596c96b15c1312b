"""Forecasts that learn nothing, with which a network is compared."""

from dlx.facts import DataFacts

NAIVE = "naive"
SEASONAL = "seasonal_naive"


def baselines(facts: DataFacts) -> tuple[str, ...]:
    """Return the forecasts that learn nothing with which a network is compared."""
    return (NAIVE, SEASONAL) if facts.season > 1 else (NAIVE,)


def repeated_step_indices(who: str, history: int, horizon: int, season: int) -> list[int]:
    """Return which steps of the history a forecast that learns nothing repeats."""
    period = season if who == SEASONAL else 1
    return [history - period + t % period for t in range(horizon)]
