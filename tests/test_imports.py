"""No import cycles, imports inside functions included, and nothing reaches into another package's private modules."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "dlx").rglob("*.py"))


def module_name(path, root=ROOT):
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def only_for_types(tree):
    """Return the nodes that stand under `if TYPE_CHECKING`, which no program runs."""
    guarded = (n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))
    return {id(inner) for n in guarded for statement in n.body for inner in ast.walk(statement)}


def imported_modules(tree, modules):
    """Return the modules of the package that a file imports, at its top or inside of functions."""
    skipped, found = only_for_types(tree), set()
    for node in (n for n in ast.walk(tree) if id(n) not in skipped):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {full if full in modules else node.module for full in inner.values()}
    return {name for name in found if name.split(".")[0] == "dlx"}


def cycles(graph):
    """Return the groups of modules that lead back to themselves (Tarjan's strongly connected components)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            found.extend([sorted(group)] if len(group) > 1 or node in graph.get(node, ()) else [])

    for node in graph:
        if node not in index:
            visit(node)
    return found


def reaches_into(module, target):
    """Say whether a target lies behind an underscore in a package that the module is not in."""
    parts = target.split(".")
    private = [i for i, part in enumerate(parts) if part.startswith("_") and not part.startswith("__")]
    return any(module.split(".")[:i] != parts[:i] for i in private)


NAMES = {module_name(path) for path in SOURCES}
GRAPH = {module_name(path): imported_modules(ast.parse(path.read_text(encoding="utf-8")), NAMES) for path in SOURCES}


def test_there_are_no_import_cycles():
    assert cycles({module: {t for t in targets if t != module} for module, targets in GRAPH.items()}) == []


def test_no_package_imports_anothers_private_modules():
    assert [f"{m} imports {t}" for m, targets in GRAPH.items() for t in targets if reaches_into(m, t)] == []


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
    ],
)
def test_the_search_for_cycles_finds_them(graph, found):
    assert cycles(graph) == found


def test_imports_inside_of_functions_count_and_those_for_types_do_not():
    text = "if TYPE_CHECKING:\n    from dlx.a import x\ndef f():\n    from dlx.b import y\n    import dlx.c.d\n"
    assert imported_modules(ast.parse(text), set()) == {"dlx.b", "dlx.c.d"}


@pytest.mark.parametrize(
    ("module", "target", "wrong"),
    [
        ("dlx.tasks.gan", "dlx.tasks._base.heads", False),
        ("dlx.tasks._base.module", "dlx.tasks._base.heads", False),
        ("dlx.engine.fit", "dlx.tasks._base.heads", True),
        ("dlx.layers.conv", "dlx.layers._axes", False),
        ("dlx.models.gpt", "dlx.layers._axes", True),
    ],
)
def test_private_modules_are_those_behind_an_underscore_elsewhere(module, target, wrong):
    assert reaches_into(module, target) is wrong
