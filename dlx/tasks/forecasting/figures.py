"""Figures of forecasts: windows with history, actual values and naive forecasts; and how errors grow with the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.facts import DataFacts
from dlx.figures.base import BLUE, GRAY, ORANGE, new_figure, percent, set_title, short
from dlx.tasks.forecasting._baselines import NAIVE, SEASONAL, baselines, repeated_step_indices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlx.tasks._base.evaluation import EvaluationArrays

WINDOWS = 6
SHOWN_BEFORE = (3, 8)  # horizons of history that are drawn at least and at most; in between two seasons
NAMES = {NAIVE: "naive", SEASONAL: "seasonal naive"}
LOOKS = {NAIVE: (GRAY, ":"), SEASONAL: (ORANGE, "--")}


def draw(arrays: EvaluationArrays, facts: DataFacts) -> dict[str, Figure]:
    """Draw forecasts of windows from all over the test split, and the error at each step of the horizon."""
    past_NLF, target_NTF, forecast_NTF = series_of(arrays, facts)
    others = {who: naive_forecast(who, past_NLF, target_NTF.shape[1], facts.season) for who in baselines(facts)}
    figures = {"forecasts": draw_forecasts(arrays, facts, (past_NLF, target_NTF, forecast_NTF), others)}
    if target_NTF.shape[1] > 1:
        figures["error_by_step"] = error_by_step(target_NTF, forecast_NTF, others)
    return figures


def series_of(arrays: EvaluationArrays, facts: DataFacts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return history, target and forecast of the target columns, (N, steps, columns) each."""
    columns = facts.fields["target"].dims[1] or 1
    past = np.stack([arrays.inputs["history"][row] for row in arrays.rows])[..., :columns]
    target, forecast = (arrays.values[n].reshape(len(arrays.rows), -1, columns) for n in ("targets", "predictions"))
    return past, target, forecast


def naive_forecast(who: str, past_NLF: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """Return a forecast (N, T, F) that learns nothing."""
    return past_NLF[:, repeated_step_indices(who, past_NLF.shape[1], horizon, season)]


def draw_forecasts(
    arrays: EvaluationArrays, facts: DataFacts, series: tuple[np.ndarray, ...], others: dict[str, np.ndarray]
) -> Figure:
    """Draw the first target column of some windows, the earliest first: history, target and forecast, and others."""
    past_NLF, target_NTF, forecast_NTF = series
    chosen = np.unique(np.linspace(0, len(target_NTF) - 1, WINDOWS).astype(int))
    across = min(len(chosen), 2)
    down = -(-len(chosen) // across)
    figure = new_figure(5.6 * across, 2.3 * down + 1.2)
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()
    least, most = (times * target_NTF.shape[1] for times in SHOWN_BEFORE)
    before = max(least, min(2 * facts.season, most), 12)
    for axes, i in zip(grid.flat, chosen, strict=False):
        past = past_NLF[i, -before:, 0]
        steps = np.arange(1, target_NTF.shape[1] + 1)
        marker = "o" if len(steps) == 1 else None
        axes.plot(np.arange(1 - len(past), 1), past, color=GRAY, linewidth=1.2, label="history")
        ends = _interval(arrays, i, target_NTF.shape[1:])
        if ends is not None:
            _shade(axes, steps, *ends)
        for who, values in others.items():
            color, line = LOOKS[who]
            axes.plot(steps, values[i, :, 0], line, color=color, linewidth=1.2, label=NAMES[who], marker=marker)
        axes.plot(steps, target_NTF[i, :, 0], color="black", linewidth=1.6, label="actual", marker=marker)
        axes.plot(steps, forecast_NTF[i, :, 0], color=BLUE, linewidth=1.6, label="forecast", marker=marker)
        axes.axvline(0.5, color="#C8C8C8", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("steps after the last known value", fontsize=9)
    name = facts.fields["target"].names
    figure.supylabel(short(name[0], 30) if name else "target", fontsize=9)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    figure.suptitle(_title(arrays, target_NTF, forecast_NTF, others), fontsize=12, fontweight="bold")
    return figure


def error_by_step(target_NTF: np.ndarray, forecast_NTF: np.ndarray, others: dict[str, np.ndarray]) -> Figure:
    """Draw the mean absolute error at each step of the horizon."""
    figure = new_figure(6.4, 3.6)
    axes = figure.add_subplot()
    steps = np.arange(1, target_NTF.shape[1] + 1)
    for who, values in others.items():
        color, line = LOOKS[who]
        axes.plot(steps, _errors(values, target_NTF), line, color=color, label=NAMES[who])
    own = _errors(forecast_NTF, target_NTF)
    axes.plot(steps, own, color=BLUE, linewidth=2, label="forecast")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("step of the horizon")
    axes.set_ylabel("mean absolute error")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    best = np.min([_errors(values, target_NTF) for values in others.values()], axis=0)
    better = int((own < best).sum())
    set_title(axes, f"Better than every naive forecast at {better} of {len(steps)} steps")
    return figure


def _errors(forecast_NTF: np.ndarray, target_NTF: np.ndarray) -> np.ndarray:
    errors: np.ndarray = np.abs(forecast_NTF - target_NTF).mean((0, 2))
    return errors


def _shade(axes: Axes, steps: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    if len(steps) == 1:
        axes.vlines(steps, low, high, color=BLUE, alpha=0.3, linewidth=6, label="interval")
    else:
        axes.fill_between(steps, low, high, color=BLUE, alpha=0.2, linewidth=0, label="interval")


def _interval(arrays: EvaluationArrays, i: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the ends of the interval of the first column of a window."""
    if "low" not in arrays.values:
        return None
    low, high = (arrays.values[end][i].reshape(shape)[:, 0] for end in ("low", "high"))
    return low, high


def _title(
    arrays: EvaluationArrays, target_NTF: np.ndarray, forecast_NTF: np.ndarray, others: dict[str, np.ndarray]
) -> str:
    own = np.abs(forecast_NTF - target_NTF).mean()
    errors = [f"{NAMES[who]} {np.abs(values - target_NTF).mean():.4g}" for who, values in others.items()]
    text = f"Mean absolute error {own:.4g}; {', '.join(errors)}"
    if "low" not in arrays.values:
        return text
    low, high, actual = (arrays.values[name] for name in ("low", "high", "targets"))
    inside = ((low <= actual) & (actual <= high)).mean()
    return f"{text}\n{percent(inside)} of actual values lie in the interval"
