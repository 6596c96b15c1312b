"""What a sweep has found, as plain values, a table, and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dlx.engine.runs.outcome import ClaimVerdict, evaluate_claims
from dlx.files import save_figures
from dlx.recipe.schema.study import Sweep
from dlx.search_space import SearchSpace
from dlx.studies.folder import StudyFolder, trial_folder
from dlx.studies.journal import Trial
from dlx.studies.scaling import PowerLaw, fit_laws, law_metrics
from dlx.studies.scheduling import Scheduler

ENOUGH = 4
"""Trials with a value from which on figures, and the importance of parameters, say something."""


ONE_PARAMETER = "no figure of importance: one parameter alone explains everything"


@dataclass(frozen=True)
class SweepReport:
    """The trials of a sweep.

    best    those that have a value, the best first
    epochs_share  epochs that were trained, of those that all trials would have trained without halving
    claims  of the recipe, and whether they hold
    notes   what is left out, and why
    laws    power laws that were fitted, by what they are of
    """

    name: str
    folder: Path
    monitor: str
    maximize: bool
    trials: Mapping[int, Trial]
    best: list[Trial]
    limit: int
    seeds: int
    epochs_share: float
    claims: list[ClaimVerdict]
    notes: list[str] = field(default_factory=list)
    laws: Mapping[str, PowerLaw] = field(default_factory=dict)

    @property
    def claims_hold(self) -> bool:
        """Whether every claim holds."""
        return all(claim.held for claim in self.claims)

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the best trial, and what was searched for."""
        if not self.best:
            return {}
        return {
            "sweep/best": self.best[0].value or 0.0,
            "sweep/epochs_share": self.epochs_share,
            **law_metrics(self.laws),
            **self.best[0].metrics,
        }

    def run_of(self, trial: Trial) -> str:
        """Return the folder of a trial's run, of its first seed if it has several."""
        return trial_folder(trial.number, 0, self.seeds)

    @property
    def counts(self) -> dict[str, int]:
        """How many trials there are of each status."""
        statuses = ("finished", "paused", "running", "failed")
        return {status: sum(t.status == status for t in self.trials.values()) for status in statuses}

    @property
    def is_finished(self) -> bool:
        """Whether all trials have begun and none trains or may go on."""
        return len(self.trials) >= self.limit and not self.counts["running"]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        best = self.best[0] if self.best else None
        return {
            "name": self.name,
            "folder": str(self.folder),
            "monitor": self.monitor,
            "trials": self.limit,
            "counts": self.counts,
            "best": None if best is None else _trial_to_json(best),
            "claims": {c.metric: asdict(c) for c in self.claims},
            "notes": self.notes,
            "power_law": {name: law.to_json() for name, law in self.laws.items()},
            "table": [_trial_to_json(trial) for trial in self.trials.values()],
        }


def _trial_to_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number, "status": trial.status, "value": trial.value, "params": dict(trial.params),
        "rungs": trial.rungs, "seconds": trial.seconds, "metrics": trial.metrics, "reason": trial.reason,
    }  # fmt: skip


def report_of(study: StudyFolder, monitor: str, scheduler: Scheduler) -> SweepReport:
    """Return what a sweep has found so far."""
    spec, trials = study.loaded.study, study.journal.read()
    assert spec is not None
    best, seeds = scheduler.best(trials), scheduler.sweep.seeds
    laws, notes = fit_laws(scheduler.sweep.power_law, study.loaded, trials.values())
    report = SweepReport(
        study.name,
        study.path,
        monitor,
        scheduler.maximize,
        trials,
        best,
        scheduler.limit,
        seeds,
        _epochs_share(scheduler.sweep, trials, study.loaded.recipe.train.epochs),
        claims=[],
        notes=notes if len(scheduler.sweep.space.domains) > 1 else [ONE_PARAMETER, *notes],
        laws=laws,
    )
    return replace(report, claims=evaluate_claims({**spec.expect, **study.loaded.recipe.expect}, report.metrics))


def _epochs_share(sweep: Sweep, trials: Mapping[int, Trial], epochs: int | None) -> float:
    if sweep.halving is None or not epochs or not trials:
        return 1.0
    ends = [0, *sweep.halving.rungs, epochs]
    return sum(ends[trial.rungs] for trial in trials.values()) / (epochs * len(trials))


def importances(space: SearchSpace, report: SweepReport) -> dict[str, float]:
    """Return which share of the metric's variance each parameter explains, by Optuna's fANOVA (Hutter et al. 2014).

    Only parameters that every trial has are compared; nothing is returned where there are too few trials, or where one
    parameter alone has all of it.
    """
    import warnings

    import optuna

    from dlx.optuna_trials import finished_trial

    known = [t for t in report.trials.values() if t.value is not None]
    if len(known) < ENOUGH or len({t.value for t in known}) < 2:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize" if report.maximize else "minimize")
    for trial in known:
        study.add_trial(finished_trial(optuna, space, trial.params, trial.value or 0.0))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    return shares if len(shares) > 1 else {}


def draw_sweep(sweep: Sweep, report: SweepReport, epochs: int | None, folder: Path) -> list[Path]:
    """Draw the figures of a sweep as PNG and return where they are; none while too few trials have a value."""
    from dlx.figures import studies as figures

    known = sorted((t for t in report.trials.values() if t.value is not None), key=lambda t: t.number)
    if len(known) < 2:
        return []
    numbers, points, values = [t.number for t in known], [t.params for t in known], [t.value or 0.0 for t in known]
    drawn = {"history": figures.search_history(numbers, values, report.monitor, report.maximize)}
    if len(known) >= ENOUGH and any(_varies(name, points) for name in points[0]):
        drawn["parameters"] = figures.parameter_slices(points, values, report.monitor, report.maximize)
        drawn["parallel"] = figures.parallel_coordinates(points, values, report.monitor, report.maximize)
    shares = importances(sweep.space, report)
    if shares:
        drawn["importance"] = figures.importances(shares, report.monitor)
    if report.laws:
        drawn["power_law"] = figures.power_laws(report.laws, report.monitor)
    if sweep.halving is not None and epochs is not None:
        passed = {t.number: list(t.values.values()) for t in known}
        drawn["rungs"] = figures.rungs([*sweep.halving.rungs, epochs], passed, report.monitor)
    return list(save_figures(drawn, folder, dpi=120).values())


def _varies(name: str, points: list[Any]) -> bool:
    return all(name in point for point in points) and len({repr(point[name]) for point in points}) > 1


def describe_point(params: Mapping[str, Any]) -> str:
    """Write the values of a trial in one line, as overrides would be."""
    return "  ".join(
        f"{path}={value:.4g}" if isinstance(value, float) else f"{path}={value}" for path, value in params.items()
    )
