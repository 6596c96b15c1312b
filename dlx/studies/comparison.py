"""A comparison of variants: what is missing is trained, then each is held against the base in pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dlx.console import say
from dlx.engine.runs.outcome import ClaimVerdict, read_run, verdict_on
from dlx.errors import DlxError, RunError, UsageError
from dlx.files import save_figures
from dlx.plan.plan import is_better_higher
from dlx.plan.study import StudyPlan, load_compared_variant, plan_study
from dlx.recipe.load import LoadedRecipe
from dlx.recipe.schema.claims import holds
from dlx.recipe.schema.study import BASE, Compare
from dlx.run_folders import STUDY
from dlx.studies.folder import RECIPE, StudyFolder, complete_recipe, create_study, open_study
from dlx.studies.out_of_fold import OutOfFold, write_out_of_fold
from dlx.studies.record import StudyRecord, study_record
from dlx.studies.statistics import Difference, Interval, confidence_interval, difference, holm
from dlx.studies.training import SharedData, train_to_end
from dlx.tracking.spool import read_state


@dataclass(frozen=True)
class VariantSummary:
    """What can be said of a variant.

    values      the metric of each training, in the order of seeds or folds
    difference  to the base, in pairs; None for the base itself
    p           of the difference, corrected for the number of variants (Holm)
    apart       whether the variant and the base can be told apart
    """

    values: list[float]
    interval: Interval
    difference: Difference | None
    p: float | None
    apart: bool


@dataclass(frozen=True)
class ComparisonReport:
    """Variants by name, the base first; `claims` are those of the recipe about them and whether they hold.

    out_of_fold  the predictions of every sample by the runs that were not trained on it, where folds are compared
    """

    name: str
    folder: Path
    metric: str
    maximize: bool
    confidence: float
    repeated: str
    variants: Mapping[str, VariantSummary]
    claims: list[ClaimVerdict]
    figures: Mapping[str, Path] = field(default_factory=dict)
    out_of_fold: OutOfFold | None = None

    @property
    def claims_hold(self) -> bool:
        """Whether every claim holds."""
        return all(claim.held for claim in self.claims)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        variants = {name: asdict(summary) for name, summary in self.variants.items()}
        claims = {claim.metric: asdict(claim) for claim in self.claims}
        places = {name: str(path) for name, path in self.figures.items()}
        plain = {"folder": str(self.folder), "variants": variants, "claims": claims, "figures": places}
        predictions = self.out_of_fold.to_json() if self.out_of_fold is not None else None
        return {**vars(self), **plain, "out_of_fold": predictions, "held": self.claims_hold}

    def sentence(self, name: str) -> str:
        """Say of a variant what the figures say."""
        summary = self.variants[name]
        found = summary.difference
        if found is None:
            return "what the others are compared with"
        if summary.apart:
            better = (found.interval.mean > 0) == self.maximize
            return f"{'better' if better else 'worse'} than {BASE}"
        more = f"; about {found.needed} {self.repeated} would do" if found.needed is not None else ""
        return f"not told apart{more if found.needed and found.needed > len(summary.values) else ''}"


def compare_variants(loaded: LoadedRecipe, root: Path, console: Any) -> ComparisonReport:
    """Train what is missing of a comparison, and say what can be said. Raises: UsageError, RecipeError, RunError."""
    if loaded.study is None or loaded.study.compare is None:
        raise UsageError("the recipe has no section `compare`: name the variants, such as variants: {wider: {…}}")
    plan = plan_study(loaded)
    study = _find_or_create_study(loaded, root)
    compare = loaded.study.compare
    metric = compare.metric or _default_metric(plan, compare)
    assert plan.base is not None
    record = study_record(plan.base, study, resumed=read_state(study.path) is not None)
    with record.close_on_error():
        values = _values(study, plan, compare, metric, console)
    report = _make_report(study, plan, compare, metric, values)
    predictions = write_out_of_fold(study, values, plan.repeats, console) if compare.folds is not None else None
    report = replace(report, figures=draw_comparison(report), out_of_fold=predictions)
    finish_comparison(record, report)
    return report


def _values(study: StudyFolder, plan: StudyPlan, compare: Compare, metric: str, console: Any) -> dict[str, list[float]]:
    """Return the metric of every training of every variant; those that are missing are trained."""
    values: dict[str, list[float]] = {name: [] for name in (BASE, *compare.variants)}
    total, data = plan.repeats * len(values), SharedData(plan.prepared)
    for done, (repeat, name) in enumerate(_pairs(plan.repeats, list(values)), 1):
        value = _value(study, (name, repeat), compare, metric, data)
        place = f"{name}, {_repeat_unit(compare)[:-1]} {repeat}"
        say(console, f"{done} of {total}  {place}: {metric} {value:.4g}")
        values[name].append(value)
    return values


def _pairs(repeats: int, names: list[str]) -> Iterator[tuple[int, str]]:
    """Yield what is trained, pair by pair, so that an interrupted comparison has whole pairs."""
    yield from ((repeat, name) for repeat in range(repeats) for name in names)


def _find_or_create_study(loaded: LoadedRecipe, root: Path) -> StudyFolder:
    """Return the study of this very recipe that is there already, or a new one."""
    digest = _digest(complete_recipe(loaded))
    for state in sorted(root.glob(f"{loaded.recipe.name}-*/{STUDY}")):
        if _digest((state.parent / RECIPE).read_text()) == digest:
            return open_study(str(state.parent), root)
    return create_study(loaded, root)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _value(study: StudyFolder, training: tuple[str, int], compare: Compare, metric: str, data: SharedData) -> float:
    """Return the metric of one training (variant, repeat), which is carried out if it is missing."""
    name, repeat = training
    folder = study.variant_folder(name, repeat)
    run = read_run(folder)
    if run is None:
        try:
            loaded = _repeat_of(load_compared_variant(study.loaded, name), repeat, compare)
            run = train_to_end(loaded, folder, study.path, data)
        except DlxError as error:
            raise RunError(f"{name}, {_repeat_unit(compare)[:-1]} {repeat}: {error}") from error
    if metric not in run.metrics:
        raise UsageError(f"{folder} has no metric {metric}; it has {', '.join(run.metrics)}")
    return run.metrics[metric]


def _repeat_of(loaded: LoadedRecipe, repeat: int, compare: Compare) -> LoadedRecipe:
    """Return the recipe of one training: another seed, or another fold."""
    recipe = loaded.recipe
    if compare.folds is not None:
        return replace(loaded, recipe=recipe.evolve("data.split.fold", repeat + 1))
    return replace(loaded, recipe=recipe.evolve("seed", recipe.seed + repeat))


def _repeat_unit(compare: Compare) -> str:
    return "folds" if compare.folds is not None else "seeds"


def _default_metric(plan: StudyPlan, compare: Compare) -> str:
    assert plan.base is not None
    names = list(plan.base.recipe.task.metric_names(plan.base.network_facts))
    first = next((name for name in names if name != "loss"), "loss")
    return f"{'val' if compare.folds is not None else 'test'}/{first}"


def _make_report(
    study: StudyFolder, plan: StudyPlan, compare: Compare, metric: str, values: Mapping[str, list[float]]
) -> ComparisonReport:
    assert plan.base is not None and study.loaded.study is not None
    maximize, folds = is_better_higher(plan.base, metric), compare.folds is not None
    found = {
        name: difference(values[BASE], own, compare.confidence, maximize, folds)
        for name, own in values.items()
        if name != BASE
    }
    corrected = holm({name: d.p for name, d in found.items()})
    variants = {
        name: VariantSummary(
            own,
            confidence_interval(own, compare.confidence),
            found.get(name),
            corrected.get(name),
            name in corrected and corrected[name] < 1 - compare.confidence,
        )
        for name, own in values.items()
    }
    metrics = _metrics(variants)
    claims = [
        verdict_on(name, claim, metrics.get(name), _meets(name, claim.bound, found, variants))
        for name, claim in study.loaded.study.expect.items()
        if name.partition("/")[0] == "compare"
    ]
    return ComparisonReport(
        study.name, study.path, metric, maximize, compare.confidence, _repeat_unit(compare), variants, claims
    )


def draw_comparison(report: ComparisonReport) -> dict[str, Path]:
    """Draw the figures of a comparison as PNG and return where they are."""
    from dlx.figures import studies as figures

    values = {name: summary.values for name, summary in report.variants.items()}
    intervals = {n: (t.interval.mean, t.interval.low, t.interval.high) for n, t in report.variants.items()}
    found = {n: t.difference.interval for n, t in report.variants.items() if t.difference is not None}
    apart = {name: report.variants[name].apart for name in found}
    spans = {name: (d.mean, d.low, d.high) for name, d in found.items()}
    drawn = {
        "variants": figures.comparison(values, intervals, report.metric, BASE),
        "differences": figures.differences(spans, apart, report.metric),
    }
    return save_figures(drawn, report.folder / "figures", dpi=120)


def _meets(claim: str, bound: Any, found: Mapping[str, Difference], variants: Mapping[str, VariantSummary]) -> bool:
    _, name, *mean = claim.split("/")
    return holds(bound, variants[name].interval.mean) if mean else claim_holds(bound, found[name].interval)


def finish_comparison(record: StudyRecord, report: ComparisonReport) -> None:
    """Write down what was found: the differences are the metrics of the study."""
    record.run.metrics, record.run.verdict = _metrics(report.variants), report.claims
    held = record.run.claims_hold if record.run.verdict else None
    record.record.finish(record.run.metrics, held, list(report.figures.values()), None)
    record.close("FINISHED")


def _metrics(variants: Mapping[str, VariantSummary]) -> dict[str, float]:
    """Return the differences to the base, and the mean of each variant."""
    found = {f"compare/{n}": v.difference.interval.mean for n, v in variants.items() if v.difference is not None}
    return found | {f"compare/{name}/mean": variant.interval.mean for name, variant in variants.items()}


def claim_holds(bound: Any, interval: Interval) -> bool:
    """Say whether a bound of a difference is met: by the whole interval, not by its middle alone."""
    return holds(bound, interval.low) and holds(bound, interval.high)
