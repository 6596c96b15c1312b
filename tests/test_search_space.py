import math

import pytest

from dlx.search_space import Choice, Range, SearchSpace, read_domain


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ({"log": [1e-4, 0.1]}, Range(1e-4, 0.1, log=True)),
        ({"uniform": [0, 1]}, Range(0.0, 1.0)),
        ({"uniform": [0, 1], "step": 0.25}, Range(0.0, 1.0, step=0.25)),
        ({"int": [2, 8], "step": 2}, Range(2, 8, integer=True, step=2)),
        ({"log_int": [1, 1000]}, Range(1, 1000, log=True, integer=True)),
        ([1, 2.5, "a", None], Choice((1, 2.5, "a", None), (1, 2.5, "a", None))),
        (
            {"any": ["a", {"type": "b"}, {"c": 1}, [1]]},
            Choice(("a", {"type": "b"}, {"c": 1}, [1]), ("a", "b", "c", "[1]")),
        ),
        ([{"c": 1}, {"c": 2}], Choice(({"c": 1}, {"c": 2}), ("c#1", "c#2"))),
    ],
)
def test_domains_are_read(written, domain):
    assert read_domain(written) == domain


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"log": [0, 1]}, "begins above 0"),
        ({"uniform": [2, 1]}, "2 is more than 1"),
        ({"int": [1, 2.5]}, "whole numbers"),
        ({"log": [1, 2], "step": 1}, "not for logarithmic"),
        ([], "at least one value"),
        (3, "write a list"),
        ({"between": [1, 2]}, "write a list"),
        ({"log": [1, 2, 3]}, "write a list"),
    ],
)
def test_what_is_no_domain_is_refused(written, message):
    with pytest.raises(ValueError, match=message):
        read_domain(written)


def test_domains_inside_of_an_alternative_are_its_own():
    space = SearchSpace({"model": read_domain({"any": [{"linear": {}}, {"mlp": {"hidden": [{"int": [1, 9]}]}}]})})
    assert space.draw(lambda _, domain: domain.ends[0]) == {"model": "linear"}
    assert space.draw(lambda _, domain: domain.ends[-1]) == {"model": "mlp", "model.mlp.hidden.0": 9}


def test_extremes_have_every_option_and_both_ends():
    space = SearchSpace(
        {
            "a": read_domain({"log": [1e-3, 1]}),
            "b": read_domain(["x", "y", "z"]),
            "c": read_domain({"any": [{"f": {"k": {"int": [1, 5]}}}, {"g": {"any": [0, {"uniform": [2, 3]}]}}]}),
        }
    )
    points = list(space.extremes())
    found = {(name, value) for point in points for name, value in point.items()}
    assert found >= {
        ("a", 1e-3),
        ("a", 1.0),
        ("b", "x"),
        ("b", "y"),
        ("b", "z"),
        ("c.f.k", 1),
        ("c.f.k", 5),
        ("c.g", 0),
    }
    assert len(points) < 12  # not the product of everything


def test_a_share_of_a_logarithmic_range_is_one_of_its_logarithm():
    domain = read_domain({"log": [1e-4, 1.0]})
    assert domain.at(0.5) == pytest.approx(1e-2)
    assert domain.at(0.0) == pytest.approx(1e-4)
    assert domain.size is None
    assert read_domain({"int": [1, 9], "step": 2}).size == 5
    assert read_domain({"uniform": [0, 1], "step": 0.1}).size == 11
    assert math.isclose(read_domain({"uniform": [0, 1], "step": 0.1}).at(0.44), 0.4)
