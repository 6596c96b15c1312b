"""Every rule refuses its own wrong example, and nothing in the right one."""

import re
from pathlib import Path

import pytest

import dlx
from dlx.errors import RecipeError
from dlx.plan import make
from dlx.recipe.load import load
from dlx.reference.codes import explanation_of, rules
from dlx.rules import Rule

MINIMAL = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: {type: layers, layers: [{linear: 8}]}\n"
RULES = {rule.code: rule for rule in rules()}
WITH_EXAMPLE = [code for code, rule in RULES.items() if explanation_of(rule).wrong]


def codes_of(folder, fragment):
    """Plan a minimal recipe changed by a fragment, and return the codes of what is refused or warned of."""
    (folder / "base.yaml").write_text(MINIMAL)
    (folder / "r.yaml").write_text(f"extends: base.yaml\n{fragment}\n")
    try:
        return {problem.code for problem in make(load(folder / "r.yaml")).warnings}
    except RecipeError as error:
        return {d.code for d in error.diagnostics}


@pytest.mark.parametrize("code", WITH_EXAMPLE)
def test_the_wrong_example_breaks_the_rule_and_the_right_one_does_not(tmp_path, code):
    words = explanation_of(RULES[code])
    assert code in codes_of(tmp_path, words.wrong)
    right = codes_of(tmp_path, words.right)
    assert code not in right
    assert {c for c in right if RULES[c].severity == "error"} == set()


@pytest.mark.parametrize("code", RULES)
def test_a_rule_says_what_why_and_what_to_write(code):
    words = explanation_of(RULES[code])
    assert words.title and words.why and words.instead
    assert bool(words.wrong) == bool(words.right)


def test_every_rule_has_a_code_of_its_own():
    texts = [path.read_text(encoding="utf-8") for path in Path(dlx.__file__).parent.rglob("*.py")]
    defined = [name for text in texts for name in re.findall(r"^class (\w+)\(Rule\):", text, re.MULTILINE)]
    assert len(RULES) == len(defined) > 30
    assert all(issubclass(rule, Rule) for rule in RULES.values())
