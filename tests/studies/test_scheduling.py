"""Which trial trains next, against the published rule of asynchronous successive halving worked by hand."""

import pytest

from dlx.recipe.schema.study import Sweep
from dlx.studies.journal import Trial, read_trials
from dlx.studies.scheduling import Scheduler

OVER = {"over": {"optimizer.lr": [1, 2]}}


def scheduler(limit=9, maximize=True, **sweep):
    spec = Sweep.model_validate({**OVER, "halving": {"rungs": [1, 3], "keep": 1 / 3}, **sweep})
    return Scheduler(spec, maximize, limit, lambda number, history: {"optimizer.lr": number})


def paused(number, *values):
    return Trial(number, {}, "paused", dict(enumerate(values)))


def next_job(trials, alive=lambda worker: True, **options):
    return scheduler(**options).next_job({t.number: t for t in trials}, alive)


def test_a_study_begins_with_its_first_trial():
    job = next_job([])
    assert (job.number, job.params, job.until, job.begins) == (0, {"optimizer.lr": 0}, 1, True)


def test_no_trial_goes_on_before_a_third_of_three_is_one():
    assert next_job([paused(0, 0.5), paused(1, 0.9)]).begins
    job = next_job([paused(0, 0.5), paused(1, 0.9), paused(2, 0.1)])
    assert (job.number, job.until, job.begins) == (1, 3, False)


def test_what_was_promoted_counts_in_its_rung():
    """Of four with rung 0 passed one may go on (⌊4/3⌋ = 1), and the best has: a new trial begins; of six, two may."""
    trials = [paused(0, 0.5), paused(1, 0.9, 0.95), paused(2, 0.1), paused(3, 0.6)]
    assert next_job(trials).begins
    assert next_job([*trials, paused(4, 0.2), paused(5, 0.3)]).number == 3


def test_higher_rungs_come_first():
    trials = [paused(n, 0.5 + n / 100, 0.6 + n / 100) for n in range(3)] + [paused(n, 0.9) for n in (3, 4, 5)]
    job = next_job(trials)
    assert (job.number, job.until) == (2, None)  # the best of three at rung 1 trains to its end


def test_the_smallest_is_the_best_where_a_metric_falls():
    assert next_job([paused(0, 0.5), paused(1, 0.9), paused(2, 0.1)], maximize=False).number == 2


def test_a_value_that_is_not_a_number_is_never_promoted():
    lost = [paused(number, float("nan")) for number in range(3)]
    assert next_job(lost, limit=3) is None
    assert next_job([*lost, paused(3, 0.1)], limit=4).number == 3


def test_a_trial_whose_worker_died_goes_on_before_all_others():
    trials = [paused(0, 0.5), paused(1, 0.9), paused(2, 0.1), Trial(3, {"a": 1}, "running", worker="gone")]
    job = next_job(trials, alive=lambda worker: worker != "gone")
    assert (job.number, job.params, job.until, job.begins) == (3, {"a": 1}, 1, False)
    assert next_job(trials).number == 1


def test_nothing_is_left_when_all_trials_are_there():
    finished = [Trial(n, {}, "finished", {0: 0.1, 1: 0.2, 2: 0.3}) for n in range(3)]
    assert next_job(finished, limit=3) is None
    assert next_job(finished, limit=4).number == 3


def test_without_halving_every_trial_trains_to_its_end():
    assert next_job([], halving=None).until is None


def test_what_came_farther_is_better_than_what_is_better_so_far():
    trials = {t.number: t for t in [paused(0, 0.99), paused(1, 0.5, 0.6), Trial(2, {}, "failed")]}
    assert [t.number for t in scheduler().best(trials)] == [1, 0]


def test_the_journal_is_read_event_by_event():
    events = [
        {"event": "begin", "trial": 0, "params": {"a": 1}, "worker": "w"},
        {"event": "pause", "trial": 0, "value": 0.5, "seconds": 2.0},
        {"event": "continue", "trial": 0, "worker": "v"},
        {"event": "begin", "trial": 1, "params": {"a": 2}, "worker": "w"},
        {"event": "fail", "trial": 1, "reason": "the loss became nan", "seconds": 1.0},
        {"event": "finish", "trial": 0, "value": 0.7, "metrics": {"test/accuracy": 0.6}, "seconds": 3.0},
    ]
    trials = read_trials(events)
    assert trials[0] == Trial(0, {"a": 1}, "finished", {0: 0.5, 1: 0.7}, None, "", 5.0, {"test/accuracy": 0.6})
    assert (trials[1].status, trials[1].reason, trials[1].value) == ("failed", "the loss became nan", None)
    assert read_trials(events[:3])[0].worker == "v"


@pytest.mark.parametrize("rungs", [[3, 1], [1, 1]])
def test_rungs_rise(rungs):
    with pytest.raises(ValueError, match="rise"):
        Sweep.model_validate({**OVER, "halving": {"rungs": rungs}})
