"""Plugins: folders from outside the package whose sub-folders join the families.

A plugin is named by a person, never by a recipe: with `--plugin PATH`, in `DLX_PLUGINS`, or by an installed
package's entry
point in the group `dlx.plugins`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path

from dlx.component import families
from dlx.errors import UsageError


@dataclass(frozen=True)
class Plugin:
    """A folder that is in use: where it is, the SHA-256 of its files, and the components that it adds, as
    family/type.
    """

    path: str
    sha256: str
    components: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return plain JSON values."""
        return asdict(self)


_active: dict[str, Plugin] = {}


def activate_plugins(paths: Sequence[str | Path] = ()) -> list[Plugin]:
    """Put these folders, those of `DLX_PLUGINS` and those of installed packages into the families' search paths.

    Raises: UsageError if a folder is absent or holds no family.
    """
    named = [p for p in os.environ.get("DLX_PLUGINS", "").split(os.pathsep) if p]
    installed = [_package_folder(point.value) for point in entry_points(group="dlx.plugins")]
    for path in (*paths, *named, *installed):
        _add_plugin(Path(path).resolve())
    return active_plugins()


def active_plugins() -> list[Plugin]:
    """Return the plugins in use, in the order in which they were added."""
    return list(_active.values())


def _package_folder(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"the installed plugin {module} is not a package")
    return next(iter(spec.submodule_search_locations))


def _add_plugin(folder: Path) -> None:
    if str(folder) in _active:
        return
    if not folder.is_dir():
        raise UsageError(f"there is no plugin folder {folder}")
    added = [family for family in families() if (folder / family).is_dir()]
    if not added:
        raise UsageError(
            f"{folder} holds no folder of a family; a plugin has folders such as {', '.join(families()[:4])}"
        )
    for family in added:
        importlib.import_module(f"dlx.{family}").__path__.append(str(folder / family))
    files = sorted(f for family in added for f in (folder / family).rglob("*.py"))
    digest = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files)).hexdigest()
    leaves = {
        f"{f.parent.name}/{f.stem}" if f.parent.parent == folder else f"{f.parent.parent.name}/{f.parent.name}"
        for f in files
        if not f.name.startswith("_") or f.name == "__init__.py"
    }
    _active[str(folder)] = Plugin(str(folder), digest, tuple(sorted(leaves)))
