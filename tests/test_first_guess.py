"""The reader's test: each question of the glossary is answered by names alone, in at most two guesses.

A guess is a word that someone types into a search of file names and definitions. It leads somewhere if few are hit.
"""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEW = 3  # hits that somebody looks through
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ANSWERS = dict(re.findall(r"^\| ([^|]+\?) \| `([^`]+)` \|$", PAGE, re.MULTILINE))
GUESSES = {
    "Where is gradient accumulation?": ("gradient_accumulation",),
    "Where is the EMA?": ("ema",),
    "Where are micro-batches halved when memory runs out?": ("out_of_memory", "halve_micro_batches"),
    "What does a new pooling layer touch?": ("layers", "global_pool"),
    "What does a new task touch?": ("tasks",),
    "What does a new verb touch?": ("verbs", "commands"),
    "Where does a batch get its order?": ("permutation", "batches"),
    "Where is a checkpoint written?": ("checkpoint",),
    "Where does the best checkpoint get chosen?": ("best_checkpoint", "checkpointer"),
    "Where is the training step?": ("training_step", "optimizer_step"),
    "Where does a run begin and end?": ("run",),
    "Where do several processes meet?": ("processes",),
    "Where is a YAML error given its line?": ("locate", "diagnostics"),
    "Where is `extends` merged?": ("merge",),
    "Where is memory estimated?": ("estimate_memory",),
    "Where is every `auto` decided?": ("auto",),
    "Where is a table split into train, val and test?": ("splits",),
    "Where is the confusion matrix drawn?": ("confusion_matrix",),
    "Where does MLflow get its metrics?": ("log_metrics", "logger"),
    "Where are top-k and top-p filtering?": ("top_k", "filter_top_k"),
}


@cache
def names():
    """Return what stands at each name: files and folders of dlx, and the files that define it at their top level."""
    found = defaultdict(set)
    for path in sorted((ROOT / "dlx").rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        folder = path.parent.relative_to(ROOT).as_posix() + "/"
        if path.name == "__init__.py":
            found[path.parent.name].add(folder)
        else:
            found[path.stem.strip("_")].add(file)
        for name in defined(ast.parse(path.read_text(encoding="utf-8"))):
            found[name.strip("_")].add(file)
    return found


def defined(tree):
    """Yield the functions and classes of a file, and the methods of its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (n.name for n in node.body if isinstance(n, ast.FunctionDef))


def hits(guess):
    """Return where a guess leads: to things of that very name, else to those that have it in their names."""
    if guess in names():
        return names()[guess]
    return {place for name, places in names().items() if guess in name for place in places}


def leads_to(guess, answer):
    """Say whether a guess has few hits, one of them the answer; or whether all lie in the folder that is the answer."""
    inside = answer.endswith("/") and bool(hits(guess)) and all(place.startswith(answer) for place in hits(guess))
    return inside or (answer in hits(guess) and len(hits(guess)) <= FEW)


def test_every_question_of_the_glossary_has_its_guesses():
    assert sorted(GUESSES) == sorted(ANSWERS)
    assert all(len(guesses) <= 2 for guesses in GUESSES.values())


@pytest.mark.parametrize("question", sorted(GUESSES))
def test_names_alone_lead_to_the_answer(question):
    places = {guess: sorted(hits(guess))[:8] for guess in GUESSES[question]}
    assert any(leads_to(guess, ANSWERS[question]) for guess in GUESSES[question]), places


@pytest.mark.parametrize("guess", ["build", "accumulate_gradients", "forward"])
def test_a_word_that_is_everywhere_or_nowhere_leads_to_nothing(guess):
    assert not leads_to(guess, "dlx/tasks/_base/gradient_accumulation.py")
