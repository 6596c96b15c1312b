"""The documentation is up to date: reference pages, links, and the recipes and commands that it shows."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from dlx.component import families, types
from dlx.recipe.load import load
from dlx.reference.markdown import pages

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language, needle=""):
    for page in PAGES:
        for found, text in FENCE.findall(page.read_text()):
            if found == language and re.search(needle, text, re.MULTILINE):
                yield pytest.param(text, id=f"{page.relative_to(ROOT)}:{text.splitlines()[0][:40]}")


def named(text):
    first = re.match(r"# (\S+\.yaml)\s*$", text.splitlines()[0])
    return first[1] if first else None


@pytest.mark.parametrize("name", sorted(pages()))
def test_reference_page_is_what_the_specs_say(name):
    assert (DOCS / "reference" / name).read_text() == pages()[name], "run `make docs`"


def test_no_reference_page_is_left_over():
    assert {p.name for p in (DOCS / "reference").iterdir()} == set(pages())


def test_the_picture_of_the_architecture_is_what_the_layers_say():
    drawn = runpy.run_path(str(DOCS / "architecture.py"))
    assert (DOCS / "images" / "architecture.svg").read_text() == drawn["drawing"](), "run `make docs`"
    rooms = {name for layer in drawn["layers"]() for name in layer}
    assert rooms == {p.stem for p in (ROOT / "dlx").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()} - {
        "__init__",
        "__main__",
    }


@pytest.mark.parametrize("family", families())
def test_every_component_has_an_entry(family):
    page = pages()[f"{family}.md"]
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == list(types(family))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_resolve(page):
    text = FENCE.sub("", page.read_text())
    targets = [t for t in LINK.findall(text) if "://" not in t]
    for target in targets:
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} leads nowhere"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings}, target


@pytest.mark.parametrize("text", blocks("yaml", r"^(task|stages):"))
def test_recipes_in_the_documentation_validate(text, tmp_path):
    for shown in blocks("yaml"):
        if named(shown.values[0]):
            (tmp_path / named(shown.values[0])).write_text(shown.values[0])
    recipe = tmp_path / (named(text) or "shown.yaml")
    recipe.write_text(text)
    assert load(recipe).recipe.task


@pytest.mark.parametrize("text", blocks("yaml", r"^extends:"))
def test_recipes_that_extend_another_validate(text, tmp_path):
    test_recipes_in_the_documentation_validate(text, tmp_path)


def test_the_plugin_example_plans(tmp_path):
    environment = {**os.environ, "DLX_CACHE": str(tmp_path), "NO_COLOR": "1"}
    environment.pop("DLX_PLUGINS", None)
    recipe = str(DOCS / "plugin_example" / "gabor.yaml")
    dlx = [sys.executable, "-m", "dlx"]
    without = subprocess.run([*dlx, "plan", recipe], env=environment, capture_output=True, text=True)
    assert without.returncode == 2
    plugin = ["--plugin", str(DOCS / "plugin_example")]
    done = subprocess.run([*dlx, *plugin, "plan", recipe], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "gabor" in done.stdout
