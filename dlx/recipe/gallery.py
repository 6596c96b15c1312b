"""The gallery: the recipes that come with dlx, each found by its name from any folder.

They stand in `recipes/` of the repository and in the package of an installed dlx; a name is that of the file, without
`.yaml`, with or without its topic: `mnist-lenet5` or `vision/mnist-lenet5`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path


def gallery_folder() -> Path:
    """Return the folder of the gallery: in the package where dlx is installed, beside it in a clone."""
    package = Path(__file__).parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


@cache
def gallery() -> dict[str, Path]:
    """Return the file of every recipe by its name with the topic, such as `vision/mnist-lenet5`."""
    folder = gallery_folder()
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))}


def in_gallery(name: str | Path) -> Path | None:
    """Return the gallery's file of this name, with or without its topic; None where no recipe has it."""
    full = Path(name).as_posix()
    return gallery().get(full) or {known.rpartition("/")[2]: path for known, path in gallery().items()}.get(full)


def find_recipe(word: str | Path) -> Path | None:
    """Return the gallery's file of this name; None where no recipe has it, or a file of this name is there."""
    known = in_gallery(word)
    return None if known is None or Path(word).is_file() else known


def nearest_recipe(word: str | Path) -> str | None:
    """Return the name in the gallery that a mistyped name or path may have meant."""
    from dlx.nearest import nearest

    name = Path(word).stem
    found = nearest(name, [full.rpartition("/")[2] for full in gallery()])
    return found[0] if found else None
