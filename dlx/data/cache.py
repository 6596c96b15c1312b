"""Facts are remembered by what the data are, so that a plan need not read them again."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from dlx.facts import DataFacts
from dlx.files import cache_folder, write_atomic
from dlx.recipe.schema.data import Data
from dlx.recipe.schema.recipe import Recipe

ROOMS, COMPUTES = ("data", "sources", "tokenizers"), ("facts.py", "tensors.py", "files.py", "windows.py")
"""What computes facts: those that another version of it wrote are not trusted."""
_ROOT = Path(__file__).parents[1]


def key_for(recipe: Recipe, base: Path) -> str:
    """Return a name for the data of a recipe, as its task reads them."""
    return facts_key(recipe.data, base, recipe.task.target_kind, recipe.task.special_tokens)


def facts_key(data: Data, base: Path, target_kind: str | None, specials: Sequence[str] = ()) -> str:
    """Return a name for these data: it changes with the section, the files, and the code that reads them."""
    section = data.model_dump(mode="json", serialize_as_any=True, exclude={"transforms", "augment", "num_workers"})
    read = [*data.source.files(base), *(f for t in (data.tokenizer or {}).values() for f in t.files(base))]
    files = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in read if f.exists()]
    asked = [target_kind, *specials, *(t.fingerprint() for t in (data.tokenizer or {}).values())]
    text = json.dumps(
        [_code(), _plugin_code(data), section, str(base.resolve()) if files else "", asked, files], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def _code() -> list[tuple[str, int, int]]:
    """Return name, size and time of every file of the program that facts come from."""
    inner = (path for room in ROOMS for path in sorted((_ROOT / room).rglob("*.py")))
    found = [(part, (_ROOT / part).stat()) for part in [*COMPUTES, *(str(path.relative_to(_ROOT)) for path in inner)]]
    return [(part, stat.st_size, stat.st_mtime_ns) for part, stat in found]


def _plugin_code(data: Data) -> list[tuple[str, int, int]]:
    """Return path, size and time of the files of plugins that read these data."""
    classes = {type(component) for component in (data.source, *(data.tokenizer or {}).values())}
    files = [Path(inspect.getfile(cls)) for cls in classes if not Path(inspect.getfile(cls)).is_relative_to(_ROOT)]
    leaves = [leaf for f in files for leaf in ([*f.parent.rglob("*.py")] if f.name == "__init__.py" else [f])]
    return sorted((str(leaf), leaf.stat().st_size, leaf.stat().st_mtime_ns) for leaf in leaves)


def load_facts(key: str) -> DataFacts | None:
    """Return the facts of these data if they are known."""
    path = cache_folder() / "facts" / f"{key}.json"
    try:
        return DataFacts.from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, or written by another version: the data are read again


def save_facts(key: str, facts: DataFacts) -> None:
    """Keep the facts. A cache that cannot be written is no reason to stop."""
    try:
        write_atomic(cache_folder() / "facts" / f"{key}.json", json.dumps(facts.to_json()).encode())
    except OSError:
        return
