"""The recipes of the gallery in words: a line for each, and the text of one as a recipe of one's own."""

from __future__ import annotations

import re
from pathlib import Path

from dlx.errors import UsageError
from dlx.nearest import nearest
from dlx.recipe.gallery import find_recipe, gallery
from dlx.recipe.yaml.document import read
from dlx.reference.components import Summary

_EXTENDS = re.compile(r"^extends: *(\S+)\.ya?ml *$", re.MULTILINE)


def recipe_summaries() -> list[Summary]:
    """Return every recipe of the gallery with its description."""
    return [Summary(name, str(read(path).plain().get("description", ""))) for name, path in gallery().items()]


def recipe_file(word: str) -> Path:
    """Return the file of a recipe, or the gallery's of this name. Raises: UsageError with what is near to the name."""
    path = find_recipe(word) or Path(word)
    if path.is_file():
        return path
    near = nearest(Path(word).stem, [name.rpartition("/")[2] for name in gallery()], n=3)
    meant = f"did you mean {', '.join(near)}?" if near else "`dlx list recipes` names them"
    raise UsageError(f"there is no recipe '{word}' in the gallery; {meant}")


def standalone_text(word: str) -> str:
    """Return the text of a recipe of the gallery for use in any folder: what it extends is named as the gallery names
    it. Raises: UsageError if there is none.
    """
    text, topic = recipe_file(word).read_text(encoding="utf-8"), recipe_file(word).parent.name
    return _EXTENDS.sub(rf"extends: {topic}/\1", text)
