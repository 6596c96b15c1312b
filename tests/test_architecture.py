"""The laws of the design, each held by a test."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlx.component import base_class, families, leaf_class, types

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "dlx").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LEAVES = [(family, name) for family in families() for name in types(family)]
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "constants", "misc"}

TORCH_FREE = """
import importlib, pkgutil, sys
heavy = ["torch", "pytorch_lightning", "mlflow", "pandas", "sklearn", "matplotlib", "kornia", "torchmetrics"]
sys.modules.update(dict.fromkeys(heavy))
import dlx, dlx.plan, dlx.plan.validation, dlx.plan.report, dlx.recipe.load, dlx.cli, dlx.commands
from dlx.component import families, leaf_class, types
for module in pkgutil.iter_modules(dlx.commands.__path__):
    importlib.import_module(f"dlx.commands.{module.name}")
print(sum(leaf_class(family, name) is not None for family in families() for name in types(family)))
"""


def _calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _place(path, node):
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node, node.module


def test_specs_commands_and_the_plan_are_imported_without_torch():
    result = subprocess.run([sys.executable, "-c", TORCH_FREE], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == len(LEAVES) > 100


def test_imports_run_downward():
    script = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert "kept, 0 broken" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
    functions = [n for n in ast.walk(TREES[path]) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    # A signature is no code: a command's may have an option on every line.
    assert [f.name for f in functions if f.end_lineno - f.body[0].lineno + 1 > 40] == []


@pytest.mark.parametrize("path", TESTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_of_tests_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


SWEEPS_AND_STORIES = {"contract", "faults", "mutation"}
"""Folders of tests without a room in dlx: sweeps over every leaf, faults that are injected, and mutants."""


def test_tests_lie_in_the_rooms_of_dlx():
    rooms = {path.parent.relative_to(ROOT / "tests") for path in TESTS}
    strange = [r for r in rooms if not (ROOT / "dlx" / r).is_dir() and r.parts[0] not in SWEEPS_AND_STORIES]
    assert strange == []


def test_sweeps_go_over_the_leaves_of_a_family():
    sweeps = [p for p in TESTS if p.parent.name == "contract" and p.name.startswith("test_")]
    assert [p.name for p in sweeps if not re.search(r"\b(types|families)\(", p.read_text(encoding="utf-8"))] == []


def test_every_file_has_a_name_that_says_what_is_in_it():
    assert [p for p in [*SOURCES, *TESTS] if VAGUE_NAMES & {part.lstrip("_") for part in (p.stem, p.parent.name)}] == []


@pytest.mark.parametrize(("family", "name"), LEAVES)
def test_a_component_is_one_leaf(family, name):
    leaf = leaf_class(family, name)
    assert issubclass(leaf, base_class(family))
    assert leaf.model_fields["type"].default == name
    file = Path(inspect.getfile(leaf))
    assert name == (file.parent.name if file.stem == "__init__" else file.stem)
    assert leaf.__doc__ and re.search(r"^ *Example:\n +\S", leaf.__doc__, re.MULTILINE)


def test_a_leaf_never_imports_a_sibling():
    modules = {f"dlx.{family}.{name}": family for family, name in LEAVES}
    wrong = []
    for path, tree in TREES.items():
        parts = path.relative_to(ROOT).with_suffix("").parts
        own = ".".join(parts[:3])
        for node, target in _imports(tree):
            leaf = ".".join((target or "").split(".")[:3])
            if leaf in modules and leaf != own:
                wrong.append(f"{_place(path, node)} imports {target}")
    assert wrong == []


def _compares_a_type(node):
    """Say whether a comparison is between an attribute `type` and a name, or a collection of names."""
    sides = [node.left, *node.comparators]
    words = [s for side in sides for s in ast.walk(side) if isinstance(s, ast.Constant) and isinstance(s.value, str)]
    return bool(words) and any(isinstance(side, ast.Attribute) and side.attr == "type" for side in sides)


def test_nothing_asks_which_component_it_has():
    names = {name for _, name in LEAVES}
    asked = [
        _place(path, node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and _compares_a_type(node)
        and names & {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)}
    ]
    assert asked == []


def _branches_on_a_type(tree):
    branches = (n for n in ast.walk(tree) if isinstance(n, (ast.If, ast.IfExp, ast.comprehension)))
    tests = (t for b in branches for t in (b.ifs if isinstance(b, ast.comprehension) else [b.test]))
    return [c for t in tests for c in ast.walk(t) if isinstance(c, ast.Compare) and _compares_a_type(c)]


def test_tests_ask_no_component_which_it_is():
    names = {name for _, name in LEAVES}
    asked = [
        _place(path, node)
        for path in TESTS
        for node in _branches_on_a_type(ast.parse(path.read_text(encoding="utf-8")))
        if names & {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)}
    ]
    assert asked == []


@pytest.mark.parametrize("code", ['x = 1 if a.type == "adamw" else 2', 'if layer.type in ("conv", "linear"): pass'])
def test_the_search_for_questions_finds_them(code):
    assert _branches_on_a_type(ast.parse(code))


def _name_of(call):
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def test_nothing_evaluates_text():
    forbidden = {"eval", "exec", "__import__", "compile", "pickle.load", "pickle.loads", "yaml.load", "os.system"}
    found = [_place(p, c) for p, tree in TREES.items() for c in _calls(tree) if _name_of(c) in forbidden]
    assert found == []


def test_torch_loads_weights_only():
    def is_safe(call):
        return any(
            k.arg == "weights_only" and isinstance(k.value, ast.Constant) and k.value.value is True
            for k in call.keywords
        )

    loads = [(p, c) for p, tree in TREES.items() for c in _calls(tree) if _name_of(c) == "torch.load"]
    assert loads
    assert [_place(p, c) for p, c in loads if not is_safe(c)] == []


def test_numpy_loads_no_objects():
    loads = [(p, c) for p, tree in TREES.items() for c in _calls(tree) if _name_of(c) == "np.load"]
    allowed = [
        _place(p, c) for p, c in loads for k in c.keywords if k.arg == "allow_pickle" and k.value.value is not False
    ]
    assert allowed == []


def test_only_tracking_knows_mlflow():
    found = [
        _place(path, node)
        for path, tree in TREES.items()
        for node, target in _imports(tree)
        if (target or "").split(".")[0] == "mlflow" and path.relative_to(ROOT).parts[1] != "tracking"
    ]
    assert found == []


def test_one_file_goes_backward():
    names = {"backward", "manual_backward"}
    calls = {p for p, tree in TREES.items() for c in _calls(tree) if getattr(c.func, "attr", "") in names}
    assert [str(path.relative_to(ROOT)) for path in calls] == ["dlx/tasks/_base/gradient_accumulation.py"]


WRITERS = {
    "write_text", "write_bytes", "to_csv", "to_parquet", "to_excel", "to_feather", "savefig", "save_file", "touch",
    "symlink_to", "hardlink_to", "np.save", "np.savez", "np.savez_compressed", "np.savetxt", "json.dump", "yaml.dump",
    "shutil.copy", "shutil.copy2", "shutil.copyfile", "os.link", "os.symlink", "os.open", "torch.save",
}  # fmt: skip
STREAMS = {"sys.stdout", "sys.stderr", "writer", "cast(BinaryIO, writer)"}


def _writes_a_file(call):
    """Say whether a call writes to a path, not to an open stream."""
    if STREAMS & {ast.unparse(argument) for argument in call.args}:
        return False
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name == "open":
        modes = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
        texts = [m.value for m in modes if isinstance(m, ast.Constant) and isinstance(m.value, str)]
        return any(re.fullmatch(r"[rbt]*[wax+][rwaxbt+]*", text) for text in texts)
    return isinstance(call.func, ast.Attribute) and bool(WRITERS & {name, ast.unparse(call.func)})


def test_files_are_written_by_one_module():
    allowed = ROOT / "dlx" / "files.py"
    found = [_place(p, c) for p, tree in TREES.items() if p != allowed for c in _calls(tree) if _writes_a_file(c)]
    assert found == []


@pytest.mark.parametrize(
    ("code", "writes"),
    [
        ("path.open('wb')", True),
        ("open(path, mode='a')", True),
        ("path.write_text(text)", True),
        ("figure.savefig(path)", True),
        ("np.savez(path, x=x)", True),
        ("torch.save(state, path)", True),
        ("path.open()", False),
        ("open(path, 'rb')", False),
        ("frame.to_csv(sys.stdout)", False),
        ("touch(path)", False),
    ],
)
def test_the_search_for_writers_finds_them(code, writes):
    assert _writes_a_file(ast.parse(code).body[0].value) is writes


def test_no_two_files_of_tests_have_one_name():
    names = [path.name for path in TESTS if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))
