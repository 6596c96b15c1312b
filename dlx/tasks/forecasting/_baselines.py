"""Forecasts that learn nothing, with which a network is compared."""

from dlx.facts import DataFacts

NAIVE = "naive"
SEASONAL = "seasonal_naive"


def baselines(facts: DataFacts) -> tuple[str, ...]:
    """Return the forecasts that learn nothing with which a network is compared."""
    return (NAIVE, SEASONAL) if facts.season > 1 else (NAIVE,)
