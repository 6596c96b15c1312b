"""What the documentation shows of a terminal is what a person sees: every console block is executed and compared.

A block whose commands train is slow. What has to run before a block stands above it as `<!-- after: COMMAND -->`; why a
block cannot be run here, as `<!-- not run: REASON -->`.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"(?:<!-- (after|not run): ([^\n]*) -->\n+)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
VARYING = {
    r"(?<=-)[0-9a-f]{6}\b": "RUN",  # the name of a run's folder
    r"\b[\d.]+ s of training": "TIME s of training",
    r"(?m)^(\S+:? +reading its data|loading \S+) …\n": "",  # is said where it takes long
    re.escape(f"{ROOT}/"): "",
    r"\n {9}(?=\S)": " ",  # a terminal breaks long lines
}
NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e-?\d+)?\b")
TOLERANCE = 0.05  # of measured numbers: another processor rounds otherwise


@dataclass(frozen=True)
class Block:
    """A console block of a page, and the recipes that the page shows under a name."""

    page: Path
    text: str
    recipes: tuple[str, ...]
    before: str = ""
    obstacle: str = ""

    @property
    def commands(self):
        """The commands and what is shown of each one's output."""
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)
        return [part.rstrip("\n").partition("\n")[::2] for part in parts if part]

    @property
    def trains(self):
        return any(" train " in f" {command} " for command in (self.before, *(c for c, _ in self.commands)))


def console_blocks(page):
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    recipes = tuple(text for *_, language, text in found if language == "yaml" and re.match(r"# \S+\.yaml\n", text))
    for kind, words, language, text in found:
        if language == "console":
            yield Block(page, text, recipes, *((words, "") if kind == "after" else ("", words)))


def marked(block):
    is_refused = "error[" in block.text  # before anything is trained
    marks = [pytest.mark.slow] if block.trains and not is_refused else []
    if block.obstacle:
        marks.append(pytest.mark.skip(reason=block.obstacle))
    name = f"{block.page.relative_to(ROOT)}: {block.commands[0][0]}"
    return pytest.param(block, id=name, marks=marks)


BLOCKS = [marked(block) for page in PAGES for block in console_blocks(page)]


def execute(command, folder):
    """Return what a command prints, on either stream."""
    program, *words = shlex.split(command)
    if program == "cat":
        return (folder / words[0]).read_text(encoding="utf-8")
    assert program == "dlx", f"what is {program}?"
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.run(
        [sys.executable, "-m", "dlx", *words], cwd=folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=300,
    )  # fmt: skip
    return process.stdout


def normalized(text):
    for pattern, name in VARYING.items():
        text = re.sub(pattern, name, text)
    return [line.rstrip() for line in text.rstrip().splitlines()]


def is_same_line(shown, line):
    """Say whether a line is as shown: measured numbers about so, and anything in the place of `…` at the end."""
    if shown is None or line is None:
        return False
    if shown.endswith(" …") and line.startswith(shown[:-1]):
        return True
    one, other = (list(map(float, NUMBER.findall(text))) for text in (shown, line))
    return NUMBER.sub("#", shown) == NUMBER.sub("#", line) and one == pytest.approx(other, rel=TOLERANCE)


def differences(shown, printed):
    """Return the lines that differ; a line `…` stands for as many as there are."""
    shown, printed = normalized(shown), normalized(printed)
    if "…" in shown:
        at = shown.index("…")
        rest = len(shown) - at - 1
        printed = [*printed[:at], "…", *printed[len(printed) - rest :]]
    return [(s, p) for s, p in zip_longest(shown, printed) if not is_same_line(s, p)]


@pytest.fixture
def folder(tmp_path):
    """A folder with the gallery and the documentation in it."""
    for name in ("recipes", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS)
def test_a_console_block_is_what_is_printed(block, folder):
    for recipe in block.recipes:
        (folder / recipe.split()[1]).write_text(recipe)
    if block.before:
        execute(block.before, folder)
    for command, shown in block.commands:
        found = differences(shown, execute(command, folder))
        assert found == [], "\n".join(f"- {line}\n+ {printed}" for line, printed in found)


def test_there_are_console_blocks():
    assert len(BLOCKS) >= 9


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("loss 0.500", "loss 0.505", True),
        ("loss 0.5", "loss 0.6", False),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("a\n…\nz", "a\nb\nc\ny", False),
        ("run  runs/x-0a1b2c", "run  runs/x-ffffff", True),
        ("saved …", "saved elsewhere", True),
        ("a", "a\nb", False),
    ],
)
def test_the_comparison_notices_what_differs(shown, printed, same):
    assert (differences(shown, printed) == []) is same
