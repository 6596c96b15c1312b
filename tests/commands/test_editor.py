"""The schema in the real language server of editors: fast, without false alarms, and helpful where the cursor is."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from language_server import LanguageServer

from dlx.reference.jsonschema import recipe_schema

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.yaml"))
BASE = "task: classification\ndata: {source: {sklearn: iris}}\n"
PROGRAM = Path("node_modules/yaml-language-server/bin/yaml-language-server")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The server: where YAML_LANGUAGE_SERVER says, or as npm installs it."""
    if os.environ.get("YAML_LANGUAGE_SERVER"):
        return Path(os.environ["YAML_LANGUAGE_SERVER"])
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("npm, which installs yaml-language-server, is not there")
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "yaml-language-server"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if installed.returncode or not (folder / PROGRAM).exists():
        pytest.skip(f"npm could not install yaml-language-server: {installed.stderr[-200:]}")
    return folder / PROGRAM


@pytest.fixture(scope="module")
def editor(program, tmp_path_factory):
    schema = tmp_path_factory.mktemp("schema") / "recipe.schema.json"
    schema.write_text(json.dumps(recipe_schema()))
    server = LanguageServer(program, schema)
    server.diagnostics("first.yaml", BASE + "model: linear\n")  # the schema is read
    yield server
    server.close()


def test_the_gallery_is_read_without_alarms_in_half_a_second(editor):
    seconds = []
    for path in RECIPES:
        lines = [line for line in path.read_text().splitlines() if "yaml-language-server" not in line]
        found, taken = editor.diagnostics(path.name, "\n".join(lines) + "\n")
        assert found == [], path
        seconds.append(taken)
    assert sorted(seconds)[int(0.95 * len(seconds))] <= 0.5


def test_depth_costs_nothing(editor):
    layers = "[{conv: {channels: 8, kernel: 3, padding: same}}, relu]"
    for _ in range(12):
        layers = f"[{{residual: {{layers: {layers}}}}}]"
    found, taken = editor.diagnostics("deep.yaml", f"{BASE}model: {{layers: {layers}}}\n")
    assert found == [] and taken <= 2


def test_one_optimizer_s_fields_are_completed(editor):
    editor.diagnostics("fields.yaml", BASE + "model: linear\noptimizer:\n  adamw:\n    \n")
    offered = editor.completions("fields.yaml", 5, 4)
    assert {"lr", "betas", "weight_decay"} <= set(offered)
    assert not {"momentum", "rho", "base_optimizer"} & set(offered)


@pytest.mark.parametrize(
    ("text", "word"), [("model: {mlp: {hiden: [3]}}", "hiden"), ("model: linear\ntrain: {epochs: none}", "none")]
)
def test_mistakes_are_underlined(editor, text, word):
    found, _ = editor.diagnostics(f"mistake-{word}.yaml", f"{BASE}{text}\n")
    lines = f"{BASE}{text}\n".splitlines()
    spans = [(d["range"]["start"], d["range"]["end"]) for d in found]
    assert word in [lines[a["line"]][a["character"] : b["character"]] for a, b in spans]


def test_sections_of_studies_are_completed_and_checked(editor):
    text = BASE + "model: linear\nsweep:\n  search:\n    tpe:\n      \n  over:\n    optimizer.adam.lr:\n      \n"
    editor.diagnostics("sweep.yaml", text)
    assert "trials" in editor.completions("sweep.yaml", 6, 6)
    assert {"log", "uniform", "int", "any"} <= set(editor.completions("sweep.yaml", 9, 6))
    variants = BASE + "model: linear\ncompare:\n  variants:\n    wide:\n      \n"
    editor.diagnostics("compare.yaml", variants)
    assert {"model", "optimizer", "train"} <= set(editor.completions("compare.yaml", 6, 6))
    wrong = BASE + "model: linear\nsweep: {over: {seed: [1, 2]}, halving: {rungz: [1]}}\n"
    found, _ = editor.diagnostics("wrong-sweep.yaml", wrong)
    line = wrong.splitlines()[3]
    spans = [(d["range"]["start"]["character"], d["range"]["end"]["character"]) for d in found]
    assert any("rungz" in line[start:end] for start, end in spans)
