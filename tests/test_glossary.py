"""The glossary leads to what it names: every file is there, every path of a recipe is one of the schema."""

import re
from pathlib import Path

import pytest

from dlx.component import families, leaf_class, types
from dlx.recipe.schema.recipe import Recipe

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in TEXT.splitlines() if line.startswith("|") and "---" not in line]
TERMS, QUESTIONS = [row for row in ROWS if len(row) == 4][1:], [row for row in ROWS if len(row) == 2][1:]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
SEARCHED = [
    "gradient accumulation", "gradient clipping", "mixed precision", "data parallel", "positional encoding",
    "KL divergence", "Lipschitz", "logits", "hyperparameter", "reproducible", "inference", "transfer learning",
    "attention mask", "load balancing", "classifier-free guidance", "momentum encoder", "beam search", "all-reduce",
]  # fmt: skip


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(dlx/[^`]+)`", TEXT))))
def test_every_file_is_there(path):
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


def _fields(section):
    """Yield the names of a section's fields, and of those of sections in it."""
    for name, field in section.model_fields.items():
        yield name
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and hasattr(inner, "model_fields"):
                yield from _fields(inner)


@pytest.mark.parametrize("path", sorted({p for row in TERMS for p in re.findall(r"`([a-z_.]+)`", row[2])}))
def test_every_path_of_a_recipe_is_one_of_the_schema(path):
    leaves = [(family, name) for family in families() for name in types(family)]
    known = {*_fields(Recipe), *(name for _, name in leaves), "loss"}
    known |= {field for family, name in leaves for field in _fields(leaf_class(family, name))}
    assert set(path.split(".")) <= known


def test_a_new_reader_has_twenty_questions():
    assert len(QUESTIONS) == 20
    assert all(re.search(r"`dlx/[^`]+`", answer) for _, answer in QUESTIONS)


@pytest.mark.parametrize("term", SEARCHED)
def test_a_term_that_people_search_for_is_found(term):
    assert any(term.lower() in page.read_text(encoding="utf-8").lower() for page in PAGES)
