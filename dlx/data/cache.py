"""Facts are remembered by what the data are, so that a plan need not read them again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from dlx.facts import DataFacts
from dlx.files import write_atomic
from dlx.recipe.schema.data import Data
from dlx.recipe.schema.recipe import Recipe
from dlx.version import __version__


def cache_folder() -> Path:
    """Return the folder of remembered facts: `$DLX_CACHE`, or the user's cache directory."""
    from platformdirs import user_cache_path

    return Path(os.environ["DLX_CACHE"]) if "DLX_CACHE" in os.environ else user_cache_path("dlx")


def key_for(recipe: Recipe, base: Path) -> str:
    """Return a name for the data of a recipe, as its task reads them."""
    return facts_key(recipe.data, base, recipe.task.target_kind, recipe.seed, recipe.task.special_tokens)


def facts_key(data: Data, base: Path, target_kind: str | None, seed: int, specials: Sequence[str] = ()) -> str:
    """Return a name for these data: it changes with the section, the seed, and any file's path, size or time."""
    section = data.model_dump(mode="json", serialize_as_any=True, exclude={"transforms", "augment", "num_workers"})
    read = [*data.source.files(base), *(f for t in (data.tokenizer or {}).values() for f in t.files(base))]
    files = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in read if f.exists()]
    asked = [target_kind, seed, *specials, *(t.fingerprint() for t in (data.tokenizer or {}).values())]
    text = json.dumps([__version__, section, str(base.resolve()) if files else "", asked, files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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
