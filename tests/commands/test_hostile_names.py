"""Names from strangers go through every verb as text: no markup is read, and no terminal obeys them."""

import csv
import io
import random
import socket
import sys

import pytest
import yaml

from dlx import cli

MARKUP, ESCAPE, OVERRIDE = "[/red]", "\x1b[31m\x1b]0;owned\x07", "\u202e"
COLUMNS = [f"width{MARKUP}", f"height{ESCAPE}", "text[/x]", f"kind[/km]{OVERRIDE}$\\frac{{$"]
CLASSES = [f"yes{MARKUP}{ESCAPE}", "no[/]<script>alert(1)</script>"]
FILE = f"rows[b]{OVERRIDE}.csv"
FOLDER = "project[red]\x1b[31m"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder in which every name is hostile: its own, that of the data, of columns, of classes and of a recipe."""
    folder = tmp_path_factory.mktemp("hostile") / FOLDER
    folder.mkdir()
    draw = random.Random(0)
    with (folder / FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in range(80):
            words = " ".join(draw.choice(["good[/]", "bad\x1b[2J", "film"]) for _ in range(5))
            writer.writerow([draw.random(), draw.random(), words, CLASSES[row % 2]])
    (folder / "poem.txt").write_text("to be [/red] or not \x1b[31m to be\n" * 60)
    (folder / "poem[b].yaml").write_text(yaml.safe_dump(POEM))
    (folder / RECIPE).write_text(yaml.safe_dump(BASE))
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return folder


POEM = {
    "name": "poem",
    "task": {"language_modeling": {}},
    "data": {"source": {"text": {"path": "poem.txt"}}, "tokenizer": "char"},
    "model": {"gpt": {"features": 8, "num_layers": 1, "num_heads": 2}},
    "train": {"steps": 2, "batch_size": 4},
}
SOURCE = {"type": "table", "path": FILE, "target": COLUMNS[-1]}
BASE = {
    "name": "rows",
    "description": f"A stranger's <b>{MARKUP}{ESCAPE} recipe",
    "tracking": {"experiment": f"of{MARKUP}", "tags": {f"tag{MARKUP}": f"value{ESCAPE}"}},
    "task": "classification",
    "data": {"source": SOURCE},
    "model": {"mlp": {"hidden": [4]}},
    "train": {"epochs": 1},
}
STUDY = {**BASE, "name": "study", "sweep": {"over": {"optimizer.lr": [0.1, 0.01]}, "search": {"random": {"trials": 2}}}}


RECIPE, PORT = "rows[b].yaml", "PORT"
STEPS = {
    "init": [FILE, "--target", COLUMNS[-1], "-o", "drafted[b].yaml"],
    "validate": [RECIPE],
    "plan": [RECIPE],
    "show": [RECIPE],
    "train": [RECIPE, "train.epochs=2"],
    "runs": [],
    "eval": ["rows"],
    "predict": ["rows", FILE],
    "embed": ["rows", FILE, "-o", "vectors[b].csv"],
    "compare": ["rows", "poem", "-o", "compared[b].png"],
    "test": [RECIPE],
    "sweep": ["study.yaml"],
    "generate": ["poem"],
    "reproduce": ["rows", "--steps", "1"],
    "export": ["rows", "safetensors", "-o", "exported[b]"],
    "pack": ["rows", "-o", "packed[b].zip"],
    "unpack": ["packed[b].zip", "--root", "unpacked[b]"],
    "eject": [RECIPE, "-o", "ejected[b]"],
    "launch": [RECIPE, "--on", "torchrun", "--print"],
    "gc": ["--keep", "0", "--days", "0"],
    "list": [],
    "doctor": [],
    "schema": ["-o", "schema[b].json"],
    "docs": ["docs[b]"],
    "ui": ["--port", PORT],
    "why": [RECIPE, "tracking.experiment"],
    "diff": [RECIPE, "study.yaml"],
}
"""A command line of every verb that meets hostile names."""
REFUSED = {"ui", "eject"}
"""Verbs that refuse what they are given here: a port that is taken, a network of several inputs."""
MEETS = {"init", "plan", "predict"}
"""Verbs that print the names of columns or classes."""


class Terminal(io.StringIO):
    """A terminal without colors of its own: every escape sequence that reaches it comes from a name."""

    def isatty(self):
        return True


@pytest.fixture(scope="module")
def dlx_command(project):
    """Return a function that runs the command line, and returns its exit code and all that it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setenv("TERM", "dumb")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.parent}/mlflow.db")

        def run(*arguments):
            patch.setattr(sys, "argv", ["dlx", *arguments])
            out = Terminal()
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", out)
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = end.code or 0
            return code, out.getvalue()

        yield run


@pytest.fixture(scope="module")
def trained(dlx_command):
    """Runs of the table and of the text, with what training printed."""
    return {name: dlx_command("train", recipe) for name, recipe in {"rows": RECIPE, "poem": "poem[b].yaml"}.items()}


def harmless(printed):
    return "Traceback" not in printed and not {"\x1b", "\x07", OVERRIDE} & set(printed)


def test_there_is_a_command_line_of_every_verb():
    assert set(STEPS) == set(cli.Verbs().list_commands(None))


@pytest.mark.parametrize("verb", STEPS)
def test_a_verb_prints_hostile_names_as_text(verb, dlx_command, trained):
    assert all(code == 0 for code, _ in trained.values())
    with socket.create_server(("127.0.0.1", 0)) as taken:  # ui finds its port taken
        port = str(taken.getsockname()[1])
        code, printed = dlx_command(verb, *(port if word == PORT else word for word in STEPS[verb]))
    assert harmless(printed), printed
    assert code == (2 if verb in REFUSED else 0), printed
    if verb in MEETS:
        assert MARKUP in printed and "\\x1b[31m" in printed


def test_errors_print_hostile_names_as_text(dlx_command):
    for change in ("data.source.target=[/absent]", "model.mlp.hidden=[/red]", f"data.inputs=[{ESCAPE}]"):
        code, printed = dlx_command("plan", RECIPE, change)
        assert code in (1, 2) and harmless(printed) and "error" in printed
    code, printed = dlx_command("eval", f"no such run {MARKUP}{ESCAPE}")
    assert code == 2 and harmless(printed) and MARKUP in printed


def test_mlflow_has_the_names_as_text(project, trained):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{project.parent}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name LIKE 'of%'")
    tags = client.search_runs([experiment.experiment_id])[0].data.tags
    note = tags["mlflow.note.content"]
    assert "<b>" not in note and "&lt;b&gt;" in note and "\x1b" not in note
    assert not {"\x1b", "\x07"} & set("".join(tags.values()))
