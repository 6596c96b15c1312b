"""Names are those of the field: verbs with objects or nouns, American spelling, and none of the words that are gone."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "dlx").rglob("*.py"))
TEXTS = [
    *SOURCES,
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "recipes").rglob("*.yaml")),
    ROOT / "README.md",
]

GONE = {
    "Horizon": "TrainingLength",
    "contradictions": "errors",
    "cautions": "warnings",
    "emits": "metric_names",
    "appoint": "attach",
    "summon": "load",
    "is_told": "conditional",
    "deceit": "generator_loss",
    "felt_by_step": "gradient_norm",
    "validate_every": "val_every_n_epochs",
    "save_every": "checkpoint_every_n_seconds",
    "pictures_every": "figures_every_n_epochs",
}
"""Words of an older code, and what stands in their place."""

BRITISH = re.compile(
    r"\b(colour\w*|behaviour\w*|neighbour\w*|labell\w+|modell\w+|normalis\w+|optimis\w+|initialis\w+|"
    r"regularis\w+|centre[ds]?|favour\w*|honour\w*|cancell(ed|ing)|grey\w*|analyse[sd]?|summaris\w+|generalis\w+)\b",
    re.IGNORECASE,
)
PARTICIPLES = re.compile(
    r"_?(\w+ed|told|said|made|kept|held|given|seen|known|felt|sent|left|written|found|drawn|shown)\Z"
)
NO_PARTICIPLES = {"seed", "embed", "speed", "need", "feed", "exceed", "proceed"}
MOST_PARTICIPLES = 0.02

ROOMS = sorted({path.relative_to(ROOT).parts[1] for path in SOURCES})


def definitions(tree):
    return [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]


def is_participle(name):
    """Say whether a name is a bare participle, such as `told` or `_decided`; `is_told` and `with_changed` are not."""
    one_word = "_" not in name.strip("_") and not re.search("[a-z][A-Z]", name)
    return one_word and bool(PARTICIPLES.match(name)) and name.strip("_").lower() not in NO_PARTICIPLES


@pytest.mark.parametrize("room", ROOMS)
def test_few_definitions_are_bare_participles(room):
    texts = [path.read_text(encoding="utf-8") for path in SOURCES if path.relative_to(ROOT).parts[1] == room]
    names = [name for text in texts for name in definitions(ast.parse(text))]
    bare = sorted({name for name in names if is_participle(name)})
    allowed = MOST_PARTICIPLES * len(names)
    assert sum(map(is_participle, names)) <= max(allowed, 1), bare


@pytest.mark.parametrize("name", ["told", "_decided", "kept", "resolved"])
def test_a_bare_participle_is_seen(name):
    assert is_participle(name)


@pytest.mark.parametrize("name", ["resolve", "is_told", "seed", "embed", "with_stored_tokenizers", "feed_forward"])
def test_other_names_are_none(name):
    assert not is_participle(name)


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_spelling_is_american(path):
    found = [
        (i, m[0])
        for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for m in BRITISH.finditer(line)
    ]
    assert found == []


def identifiers(tree):
    """Return every name that code defines, calls or reads."""
    for node in ast.walk(tree):
        yield from (getattr(node, field, None) for field in ("id", "attr", "arg", "name"))


def test_words_that_are_gone_stay_gone():
    used = {(name, str(p.relative_to(ROOT))) for p in SOURCES for name in identifiers(ast.parse(p.read_text("utf-8")))}
    assert [f"{file}: {name}, write {GONE[name]}" for name, file in used if name in GONE] == []
