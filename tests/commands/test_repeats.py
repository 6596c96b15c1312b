"""Equal blocks of a plan are summed up, and nothing is lost."""

import itertools

import pytest

import dlx.plan
from dlx.commands._repeats import COSTS, collapse_repeats
from dlx.plan.report import report
from dlx.recipe.load import load


def row(name, kind="linear", parameters=1):
    costs = dict.fromkeys(COSTS, 3) | {"parameters": parameters}
    return {"name": name, "type": kind, "output": "8", **costs}


def names(rows):
    return [found["name"] for found in collapse_repeats(rows)]


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([row("a.0"), row("a.1")], ["a.0", "a.1"]),  # one row for one row saves nothing
        ([row("a.0"), row("a.1"), row("a.2")], ["a.0", "a.1 … 2"]),
        ([row("a.0"), row("a.1", "relu"), row("a.2")], ["a.0", "a.1", "a.2"]),
        ([row("a.0"), row("a.1", parameters=2), row("a.2", parameters=2)], ["a.0", "a.1", "a.2"]),
        ([row(f"a.{i}.{part}") for i, part in itertools.product(range(2), "xy")], ["a.0.x", "a.0.y", "a.1"]),
        ([row("a.0.x"), row("a.0.y"), row("a.1.x")], ["a.0.x", "a.0.y", "a.1.x"]),
        (
            [row(f"{a}.{i}.{j}") for a in "ab" for i in range(3) for j in range(3)],
            ["a.0.0", "a.0.1 … 2", "a.1 … 2", "b.0.0", "b.0.1 … 2", "b.1 … 2"],
        ),
        ([row("plain")], ["plain"]),
    ],
)
def test_equal_blocks_in_a_row_are_one_line(rows, shown):
    assert names(rows) == shown


def test_the_sums_of_a_real_network_stay(tmp_path):
    text = "task: classification\ndata: {source: {random_images: {image_size: 64}}}\nmodel: {resnet: {depth: 152}}\n"
    (tmp_path / "r.yaml").write_text(text)
    (network,) = report(dlx.plan.make(load(tmp_path / "r.yaml")))["networks"].values()
    shown = list(collapse_repeats(network["layers"]))
    assert len(shown) < len(network["layers"]) / 4
    for cost in COSTS:
        assert sum(found[cost] for found in shown) == sum(found[cost] for found in network["layers"])
    assert [found["type"] for found in shown if "more" in found["type"]] == [f"{n} more like it" for n in (1, 6, 34, 1)]
