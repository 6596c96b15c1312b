"""Every searcher: its proposals lie in the space, follow from seed, number and history, and find what is better."""

import math

import pytest

from dlx.component import types
from dlx.search_space import Choice, SearchSpace, read_domain
from dlx.searchers import Searcher

SPACE = SearchSpace({
    "optimizer.lr": read_domain({"log": [1e-4, 1e-1]}),
    "train.dropout": read_domain({"uniform": [0.0, 1.0]}),
    "train.batch_size": read_domain([32, 64, 128]),
    "model": read_domain(
        {"any": [{"linear": {}}, {"mlp": {"hidden": [{"int": [4, 64], "step": 4}], "deep": {"any": [True, False]}}}]}
    ),
})  # fmt: skip


def loss(point):
    return abs(math.log10(point["optimizer.lr"]) + 2) + abs(point["train.dropout"] - 0.3)


def search(searcher, trials, seed=0, history=None, maximize=False):
    sampler, history = searcher.build(SPACE, seed, maximize), dict(history or {})
    for number in range(len(history), trials):
        point = sampler.propose(number, history)
        history[number] = point, -loss(point) if maximize else loss(point)
    return history


@pytest.fixture(params=types("searchers"))
def searcher(request):
    return Searcher.model_validate({"type": request.param})


def test_proposals_lie_in_the_space(searcher):
    for point, _ in search(searcher, 14).values():
        domains = {}
        SPACE.draw(lambda name, domain: domains.setdefault(name, domain) and point[name])  # noqa: B023
        assert set(domains) == set(point)
        for name, domain in domains.items():
            if isinstance(domain, Choice):
                assert point[name] in domain.names
            else:
                assert domain.low <= point[name] <= domain.high
                assert isinstance(point[name], int) == domain.integer
                assert domain.step is None or (point[name] - domain.low) % domain.step == 0


def test_a_study_that_goes_on_proposes_what_it_would_have_proposed(searcher):
    whole = search(searcher, 14)
    begun = {number: trial for number, trial in whole.items() if number < 9}
    assert search(searcher, 14, history=begun) == whole
    assert search(searcher, 3) != search(searcher, 3, seed=1) or searcher.type == "grid"


@pytest.mark.parametrize("name", [name for name in types("searchers") if name not in ("grid", "random")])
@pytest.mark.parametrize("maximize", [False, True])
def test_what_learns_from_trials_beats_random_search(name, maximize):
    spec = Searcher.model_validate({"type": name})

    def mean_of_last(searcher):
        return sum(loss(point) for point, _ in list(search(searcher, 24, maximize=maximize).values())[16:]) / 8

    assert mean_of_last(spec) < 0.7 * mean_of_last(Searcher.model_validate("random"))


def test_a_grid_has_every_combination_once():
    spec = Searcher.model_validate({"grid": {"points": 3}})
    limit = spec.limit(SPACE)
    assert limit == 3 * 3 * 3 * (1 + 3 * 2)
    points = [tuple(point.items()) for point, _ in search(spec, limit).values()]
    assert len(set(points)) == limit
    assert sorted({point[0][1] for point in points}) == pytest.approx([1e-4, 10**-2.5, 1e-1])
