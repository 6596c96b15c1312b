"""What the schema refuses: the place, the words, the suggestion, and how it is printed."""

import importlib
import io
import json
import pkgutil
import subprocess
import sys

import pytest
from kit import MINIMAL
from pydantic import ValidationError

import dlx
from dlx.diagnostic import as_json, redact
from dlx.errors import RecipeError
from dlx.recipe.compose.compose import compose
from dlx.recipe.diagnostics.frames import render
from dlx.recipe.diagnostics.from_pydantic import diagnostics_of, sections_of
from dlx.recipe.diagnostics.places import diagnose_at
from dlx.recipe.load import load
from dlx.recipe.schema.recipe import Recipe
from dlx.recipe.yaml.document import parse


def under(d):
    """What the caret of a diagnostic underlines."""
    return d.source_line[d.column - 1 : d.column - 1 + d.length]


@pytest.mark.parametrize(
    ("text", "code", "marked", "path", "words"),
    [
        ("train: {epochz: 3}", "DLX301", "epochz", "train.epochz", "did you mean 'epochs'?"),
        ("data: {transforms: [{scale: {range: 3}}]}", "DLX301", "range", "data.transforms.0.scale.range", "it has"),
        ("data: {batch_size: 3}", "DLX301", "batch_size", "data.batch_size", "it lives in train.batch_size"),
        ("epochs: 3", "DLX301", "epochs", "epochs", "it lives in train.epochs"),
        ("optimizer: {sgd: {learning_rate: 1}}", "DLX301", "learning_rate", "optimizer.sgd.learning_rate", "lr"),
        ("train: {learning_rate: 1}", "DLX301", "learning_rate", "train.learning_rate", "it lives in optimizer.lr"),
        ("train: {early_stopping: 3}", "DLX301", "early_stopping", "train.early_stopping", "belongs in `regularize`"),
        ("train: {metric: f1}", "DLX301", "metric", "train.metric", "it lives in task.metrics"),
        ("train: {hardware: {num_threads: 3}}", "DLX301", "hardware", "train.hardware", "section of its own"),
        ("data: {split: {left: 0.8}}", "DLX301", "left", "data.split.left", "it has val, test"),
        ("train: {epochs:3}", "DLX301", "epochs:3", "train.epochs:3", "write a blank after the colon: epochs: 3"),
        ("task: [classification]", "DLX308", "[classification]", "task", "write classification"),
        ("optimizer: {name: adam, lr: 1}", "DLX308", "{name: adam, lr: 1}", "optimizer", "an optimizer is written"),
        ("optimizer: {name: adam, lr: 1}", "DLX308", "{name: adam, lr: 1}", "optimizer", "write type: adam in place"),
        ("model: {layers: [{conv: 3x3}]}", "DLX308", "conv", "model.layers.0.conv", "{channels: …, kernel: …}"),
        ("model: {layers: [{relu: 1, tanh: 2}]}", "DLX308", "{relu: 1, tanh: 2}", "model.layers.0", "[{relu: …}, "),
        ("optimizr: adamw", "DLX301", "optimizr", "optimizr", "did you mean 'optimizer'?"),
        ("optimizer: {adamw: {learning: 1}}", "DLX301", "learning", "optimizer.adamw.learning", "in `adamw`"),
        ("optimizer: {type: adamw, betaz: 1}", "DLX301", "betaz", "optimizer.betaz", "'betas'"),
        ("optimizer: adamv", "DLX302", "adamv", "optimizer", "'adam'"),
        ("optimizer: {type: adamv}", "DLX302", "adamv", "optimizer.type", "'adam'"),
        ("model: {layers: [{stem: {linaer: 3}}]}", "DLX302", "linaer", "model.layers.0.stem.linaer", "'linear'"),
        ("model: {layers: [relu, rleu]}", "DLX302", "rleu", "model.layers.1", "'relu'"),
        ("optimizer: cross_entropy", "DLX311", "cross_entropy", "optimizer", "one of the losses"),
        ("model: {layers: [{linear: {}}]}", "DLX303", "linear", "model.layers.0.linear", "`linear` needs `features`"),
        ("model: {layers: [{type: linear}]}", "DLX303", "linear", "model.layers.0", "write features: …"),
        ("model: {layers: [{linear: {featur: 3}}]}", "DLX301", "featur", "model.layers.0.linear.featur", "'features'"),
        ("model: {layers: [{linear: -1}]}", "DLX305", "-1", "model.layers.0.linear", "> 0, but is -1"),
        ("model: {layers: [{a: {linear: 2.5}}]}", "DLX304", "2.5", "model.layers.0.a.linear", "an integer, but is 2.5"),
        (
            "model: {layers: [[{sequential: [{linear: 0}]}]]}",
            "DLX305",
            "0",
            "model.layers.0.0.sequential.0.linear",
            "> 0",
        ),
        ("train: {epochs: true}", "DLX304", "true", "train.epochs", "must be an integer, but is true"),
        ("train: {epochs: '3'}", "DLX304", "'3'", "train.epochs", "leave out the quotes"),
        ("train: {epochs: 3.0}", "DLX304", "3.0", "train.epochs", "write 3"),
        ("train: {deterministic: yes}", "DLX304", "yes", "train.deterministic", "write true"),
        ("train: 3", "DLX304", "3", "train", "a mapping of fields"),
        ("name: 3", "DLX304", "3", "name", 'put it in quotes: "3"'),
        ("data: {inputs: a}", "DLX304", "a", "data.inputs", "write [a]"),
        ("data: {target: [a, 3]}", "DLX304", "3", "data.target.1", "text, but is 3"),
        ("data: {target: 3}", "DLX304", "3", "data.target", "text or a list, but is 3"),
        ("data: {num_workers: autoo}", "DLX304", "autoo", "data.num_workers", "did you mean auto?"),
        ("hardware: {accelerator: gqu}", "DLX306", "gqu", "hardware.accelerator", "did you mean gpu?"),
        ("hardware: {precision: bf16}", "DLX306", "bf16", "hardware.precision", "did you mean bf16-mixed?"),
        ("optimizer: {adamw: {lr: .inf}}", "DLX307", ".inf", "optimizer.adamw.lr", "finite"),
        ("optimizer: {adamw: {lr: .nan}}", "DLX307", ".nan", "optimizer.adamw.lr", "finite"),
        ("optimizer: [adamw]", "DLX308", "[adamw]", "optimizer", "but this is a list"),
        ("optimizer: {adamw: {betas: [0.9]}}", "DLX312", "betas", "optimizer.adamw.betas", "too few items"),
        ("optimizer: {adamw: {betas: [1, 2, 3]}}", "DLX312", "[1, 2, 3]", "optimizer.adamw.betas", "at most 2 items"),
        ("name: a b", "DLX312", "a b", "name", "must match"),
        ("expect: {a: x}", "DLX310", "x", "expect.a", "a claim is a comparison"),
        ("seed: -1", "DLX305", "-1", "seed", "≥ 0, but is -1"),
        ("version: 2", "DLX306", "2", "version", "must be 1"),
    ],
)  # fmt: skip
def test_one_error_is_told_at_its_place(refused, text, code, marked, path, words):
    (diagnostic,) = refused(text)
    assert (diagnostic.code, under(diagnostic), diagnostic.path) == (code, marked, path)
    assert words in f"{diagnostic.message} {diagnostic.suggestion}"
    assert diagnostic.line == 2


def test_what_is_missing_at_the_top(tmp_path):
    (tmp_path / "r.yaml").write_text("seed: 1\n")
    with pytest.raises(RecipeError) as error:
        load(tmp_path / "r.yaml")
    assert [d.message for d in error.value.diagnostics] == [
        f"the recipe needs `{s}`" for s in ("data", "model", "task")
    ]


def test_all_errors_are_told_at_once_in_the_order_of_the_text(refused):
    found = refused(
        "train: {epochs: 0, log_evry: 3}\nseed: x\nmodel: {layers: [{linaer: 3}, {linear: -2}]}\noptimizer: adamv\n"
    )
    assert [(d.line, d.code) for d in found] == [
        (2, "DLX305"), (2, "DLX301"), (3, "DLX304"), (4, "DLX302"), (4, "DLX305"), (5, "DLX302"),
    ]  # fmt: skip


def test_a_missing_field_under_another_name_is_one_error(tmp_path):
    (tmp_path / "r.yaml").write_text(MINIMAL.replace("{sklearn: iris}", "{sklearn: {name: digits}}"))
    with pytest.raises(RecipeError) as error:
        load(tmp_path / "r.yaml")
    (found,) = error.value.diagnostics
    assert (under(found), found.code, found.suggestion) == ("name", "DLX301", "did you mean 'dataset'?")


def test_an_error_on_the_command_line_shows_the_override(refused):
    (typed,) = refused("seed: 1", "train.epochs=three")
    assert (typed.file, typed.line, typed.column, under(typed)) == ("<command line>", 1, 14, "three")
    assert typed.source_line == "train.epochs=three"
    (unknown,) = refused("seed: 1", "train.epoch=3")
    assert (unknown.file, under(unknown)) == ("<command line>", "epoch")


def test_notes_say_where_a_value_came_from(refused):
    (replaced,) = refused("seed: 1", "seed=-3")
    assert [n.rpartition("/")[2] for n in replaced.notes] == ["r.yaml:2"]
    assert "replaces" in replaced.notes[0]
    (referred,) = refused('vars: {n: -1}\nseed: "${vars.n}"')
    assert referred.line == 3
    assert referred.notes[0].endswith("r.yaml:2")


def test_what_is_wrong_in_a_block_is_told_once(refused):
    (found,) = refused("model:\n  blocks: {b: [rleu]}\n  layers: [b, b]\n")
    assert (found.line, under(found)) == (3, "rleu")
    assert found.notes[0].endswith("r.yaml:4")


def test_values_from_the_environment_are_never_shown(refused, monkeypatch):
    monkeypatch.setenv("DLX_TEST_TOKEN", "hunter2hunter2")
    token = "${env:DLX_TEST_TOKEN}"
    found = refused(f'seed: "{token}"\nname: "a {token}"\noptimizer: "{token}"', "train.epochs=hunter2hunter2")
    shown = io.StringIO()
    render(found, shown)
    assert len(found) == 4
    assert "hunter2" not in shown.getvalue() + json.dumps(as_json(found)) + str(found)


def test_short_values_are_redacted_as_words_only():
    assert redact("seed must be ≥ 0, but is 12 in 123", {"12"}) == "seed must be ≥ 0, but is *** in 123"


def test_at_points_at_the_deepest_thing_on_the_way():
    root = parse(
        "model:\n  type: layers\n  layers: [relu, {stem: {conv: {kernel: 3}}}, [a, {sequential: [b]}]]\n"
        "optimizer: {adamw: {lr: 3}}\n",
        "r",
    ).root

    def place(*loc):
        d = diagnose_at(root, loc, "message", "DLX401")
        return under(d), d.path

    assert place("model", "*", "layers", 0) == ("relu", "model.layers.0")
    assert place("model", "*", "layers", 1) == ("stem", "model.layers.1")
    assert place("model", "layers", 1, "kernel") == ("3", "model.layers.1.stem.conv.kernel")
    assert place("model", "layers", 2, "layers", 1, "layers", 0) == ("b", "model.layers.2.1.sequential.0")
    assert place("model", "somewhere", "else") == ("layers", "model")
    assert place("optimizer", "layers", 0) == ("optimizer", "optimizer")
    assert place("nothing")[1] == ""


def test_sections_are_read_from_the_schema():
    sections = sections_of(Recipe)
    assert "epochs" in sections["train"]
    assert "lr" in sections["optimizer"]
    assert sections["seed"] == ()


def test_from_validation_takes_a_bare_tree_too():
    root = parse("seed: x", "r").root
    with pytest.raises(ValidationError) as error:
        Recipe.model_validate(root.plain())
    codes = [d.code for d in diagnostics_of(error.value, root, sections_of(Recipe))]
    assert codes.count("DLX303") == 3
    assert "DLX304" in codes


def test_a_good_recipe_has_no_diagnostics(tmp_path):
    (tmp_path / "r.yaml").write_text(MINIMAL)
    assert Recipe.model_validate(compose(tmp_path / "r.yaml").plain()).train.epochs > 0


@pytest.mark.parametrize("wrong", ["adamv", "cross_entropy", "nothing_like_it"])
def test_an_unknown_type_is_explained_without_what_stands_above_the_families(tmp_path, wrong):
    (tmp_path / "r.yaml").write_text(f"{MINIMAL}optimizer: {wrong}\n")
    script = (
        "import sys, dlx\n"
        "try: dlx.load(sys.argv[1])\n"
        "except dlx.errors.RecipeError as error: print(error.diagnostics[0].code)\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "r.yaml")]
    code, modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert code.startswith("DLX3")
    assert "dlx.optimizers" in modules.split()
    above = {"torch", "mlflow", "dlx.plan", "dlx.engine", "dlx.tracking", "dlx.cli"}
    assert not above & set(modules.split())


def test_families_are_found_without_importing_them():
    script = "import sys, dlx.component as c; print(*c.families()); print(*(m for m in sys.modules if 'dlx' in m))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    names, modules = printed.splitlines()
    assert {"layers", "optimizers"} <= set(names.split())
    assert [m for m in modules.split() if m.partition(".")[2].partition(".")[0] in names.split()] == []
    packages = [m.name for m in pkgutil.iter_modules(dlx.__path__) if m.ispkg]
    bases = [vars(importlib.import_module(f"dlx.{name}")).values() for name in packages]
    declared = {getattr(value, "__dict__", {}).get("family") for values in bases for value in values}
    assert set(names.split()) == declared & set(packages)


@pytest.mark.parametrize(
    ("layer", "code", "marked", "words"),
    [
        ("{forward: {linear: 3}}", "DLX310", "forward", "cannot be named 'forward'"),
        ("{parameters: [relu]}", "DLX310", "parameters", "cannot be named 'parameters'"),
        ("{type: linear, features: 3, name: training}", "DLX310", "training", "cannot be named 'training'"),
        ("{_modules: {linear: 3}}", "DLX312", "_modules", "`name` may not be '_modules'"),
    ],
)
def test_a_node_cannot_have_a_name_that_modules_need(refused, layer, code, marked, words):
    (found,) = refused(f"model: {{type: layers, layers: [relu, {layer}]}}")
    assert (found.code, under(found)) == (code, marked) and words in found.message
    assert found.path.startswith("model.layers.1")
