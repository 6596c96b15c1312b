"""Diagnostics are printed as a compiler prints them, and given to tools as JSON."""

import io

from dlx.diagnostic import Diagnostic, as_json
from dlx.recipe.diagnostics.frames import render

FRAME = """\
error[DLX305]: `epochs` must be ≥ 1, but is 0
  --> r.yaml:12:10
   |
12 | train: {é日: 0}
   |          ^^
   = note: set elsewhere
   = help: write 1

1 error; `dlx show error DLX305` explains DLX305
"""


def example(**changes):
    fields = {
        "file": "r.yaml", "line": 12, "column": 10, "path": "train.epochs", "code": "DLX305",
        "message": "`epochs` must be ≥ 1, but is 0", "suggestion": "write 1", "source_line": "train: {é日: 0}",
        "length": 2, "notes": ("set elsewhere",),
    }  # fmt: skip
    return Diagnostic(**{**fields, **changes})


def test_a_frame_looks_like_a_compilers():
    stream = io.StringIO()
    render([example(length=1)], stream)
    assert stream.getvalue() == FRAME


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_color_is_for_terminals_that_want_it(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal, plain = Terminal(), Terminal()
    render([example()], terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    render([example()], plain)
    assert "\x1b[" in terminal.getvalue()
    assert "\x1b[" not in plain.getvalue()
    assert "`epochs` must be" in terminal.getvalue()


def test_a_recipe_cannot_steer_the_terminal():
    stream = io.StringIO()
    render([example(message="a\x1b[31m\x07", source_line="x\x1b]0;title\x07", file="a\nb")], stream)
    assert not set(stream.getvalue()) & {"\x1b", "\x07"}


def test_a_long_line_is_shown_around_the_caret():
    stream = io.StringIO()
    line = "a" * 5000 + "HERE" + "b" * 5000
    render([example(source_line=line, column=5001, length=4)], stream)
    shown, caret = (text for text in stream.getvalue().splitlines() if " | " in text)
    assert len(shown) < 130
    assert shown[caret.index("^") : caret.rindex("^") + 1] == "HERE"


def test_json_is_what_tools_read():
    (found,) = as_json([example()])
    assert found == {
        "file": "r.yaml", "line": 12, "column": 10, "path": "train.epochs", "code": "DLX305",
        "message": "`epochs` must be ≥ 1, but is 0", "suggestion": "write 1",
    }  # fmt: skip
