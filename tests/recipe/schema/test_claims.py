"""Claims: a bound alone, or with its source, its baselines, and whether it was set after a look at the split."""

import jsonschema
import pytest

import dlx
from dlx.engine.runs.outcome import Run, evaluate_claims, read_run
from dlx.errors import RecipeError
from dlx.recipe.schema.claims import Claim, describe_origin, holds
from dlx.recipe.schema.recipe import Recipe
from dlx.reference.jsonschema import recipe_schema

RECIPE = {"task": "classification", "data": {"source": {"sklearn": "iris"}}, "model": "linear"}
FULL = {"bound": ">= 0.97", "source": "a paper, table 1", "baseline": {"majority": 0.5}, "post_hoc": True}


def read(claim):
    return Recipe.model_validate({**RECIPE, "expect": {"test/accuracy": claim}}).expect["test/accuracy"]


@pytest.mark.parametrize("bound", [">= 0.97", [0.1, 0.2], 3, 0.5])
def test_a_bound_alone_is_a_claim_and_is_written_as_it_was(bound):
    claim = read(bound)
    assert claim == read({"bound": bound}) == Claim(bound=bound)
    assert claim.model_dump(mode="json") == bound


def test_a_source_and_baselines_stay_with_the_bound():
    claim = read(FULL)
    assert claim.model_dump(mode="json") == FULL
    assert read(claim.model_dump(mode="json")) == claim
    assert claim.beats_baseline and not read({**FULL, "baseline": {"ridge": 0.98}}).beats_baseline
    said = describe_origin(claim.source, {"logistic_regression": 0.978}, post_hoc=True)
    assert said == "a paper, table 1; logistic regression 0.978; set after a look at the split"


@pytest.mark.parametrize(
    ("claim", "path"),
    [
        ({"bound": "x"}, "expect.a.bound"),
        ({"bound": ">= 1", "sorce": "a"}, "expect.a.sorce"),
        ({"source": "a"}, "expect.a"),
        ({"bound": [2, 1]}, "expect.a.bound"),
        ([1, 2, 3], "expect.a"),
        (True, "expect.a"),
    ],
)
def test_a_wrong_claim_is_named_at_its_place(tmp_path, claim, path):
    import yaml

    file = tmp_path / "r.yaml"
    file.write_text(yaml.safe_dump({**RECIPE, "expect": {"a": claim}}))
    with pytest.raises(RecipeError) as refused:
        dlx.load(file)
    assert [d.path for d in refused.value.diagnostics] == [path]


def test_an_editor_knows_both_spellings():
    validator = jsonschema.Draft202012Validator(recipe_schema())
    for claim in (">= 0.9", [0, 1], 3, FULL, None):
        assert validator.is_valid({**RECIPE, "expect": {"test/accuracy": claim}}), claim
    assert not validator.is_valid({**RECIPE, "expect": {"test/accuracy": {**FULL, "sorce": "a"}}})


@pytest.mark.parametrize(
    ("bound", "value", "held"),
    [(">= 1", 1.0, True), ("> 1", 1.0, False), ([0, 1], 1.0, True), (1, 1.0, True), (">= 0", float("nan"), False)],
)
def test_a_bound_is_met_or_not(bound, value, held):
    assert holds(bound, value) is held


def test_the_summary_of_a_run_says_where_a_bound_comes_from(tmp_path):
    from dlx.commands._show import print_summary
    from dlx.console import new_console

    run = Run("r", tmp_path, tmp_path, None, metrics={"test/loss": 1.0})
    run.verdict = evaluate_claims({"test/loss": read(FULL)}, run.metrics)
    run.status = "FINISHED"
    run.write()
    run = read_run(tmp_path)
    assert [(v.claim, v.source, v.baseline, v.post_hoc) for v in run.verdict] == [
        (">= 0.97", "a paper, table 1", {"majority": 0.5}, True)
    ]
    with (tmp_path / "out.txt").open("w") as file:
        print_summary(run, new_console(file=file, width=120))
    said = "test/loss >= 0.97: a paper, table 1; majority 0.5; set after a look at the split"
    assert said in (tmp_path / "out.txt").read_text()
