"""Folders of samples: one for each class, with folders train, val and test above them where there are some."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dlx.errors import DataError

SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "eval": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""How the folder of a split may be called, in any case."""


@dataclass(frozen=True)
class SplitFolders:
    """The folders in which samples lie, each with its split, None where the folders say nothing of splits."""

    folders: list[tuple[Path, str | None]]
    inferred: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LabeledFiles:
    """Files of samples, each with its split and its class, None where the folders do not say."""

    files: list[tuple[Path, str | None, str | None]]
    inferred: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def split_folders(root: Path) -> SplitFolders:
    """Return the folders of the splits, or the root alone. Raises: DataError if there is no such folder.

    Folders are splits where one of them is that of train, and it is not alone among folders of classes.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    inner = [child for child in visible_files(root) if child.is_dir()]
    known = {child: SPLITS[child.name.lower()] for child in inner if child.name.lower() in SPLITS}
    training = [child for child, split in known.items() if split == "train"]
    if not training or (len(known) == 1 and len(inner) > 1 and not _subfolders(training[0])):
        return SplitFolders([(root, None)], warnings=_nested_class_warnings(root, inner))
    others = [child.name for child in inner if child not in known]
    beside = f"{root.name}: left out the folders {', '.join(others)}, which are beside {training[0].name}"
    read = ", ".join(f"{child.name} as {split}" for child, split in known.items() if child.name != split)
    return SplitFolders(
        list(known.items()), [f"{root.name}: folder {read}"] if read else [], [beside] if others else []
    )


def _nested_class_warnings(root: Path, folders: list[Path]) -> list[str]:
    """Return a warning where folders that are taken for classes hold folders of the same names."""
    names = [_subfolders(folder) for folder in folders]
    if len(folders) < 2 or len(names[0]) < 2 or any(found != names[0] for found in names):
        return []
    these, inside = ", ".join(folder.name for folder in folders), ", ".join(sorted(names[0])[:5])
    return [
        f"{root.name}: {these} are taken for classes, but hold folders of the same names ({inside}): "
        "if they are splits, call them train, val and test"
    ]


def _subfolders(folder: Path) -> set[str]:
    return {child.name for child in visible_files(folder) if child.is_dir()}


def labeled_files(root: Path) -> LabeledFiles:
    """Return every file below a folder; those beside folders of classes belong to none and are left out."""
    found = split_folders(root)
    files = [(path, split, label) for folder, split in found.folders for path, label in _files_by_class(folder)]
    return LabeledFiles(files, found.inferred, found.warnings)


def _files_by_class(folder: Path) -> list[tuple[Path, str | None]]:
    classes = [child for child in visible_files(folder) if child.is_dir()]
    if not classes:
        return [(path, None) for path in visible_files(folder)]
    return [(path, child.name) for child in classes for path in sorted(child.rglob("*")) if _is_sample(path)]


def visible_files(folder: Path) -> list[Path]:
    """Return what a folder holds, but for hidden files, by name."""
    return sorted(child for child in folder.iterdir() if not child.name.startswith("."))


def _is_sample(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def suffix_share(folder: Path, suffixes: tuple[str, ...]) -> float:
    """Return the fraction of a folder's files, hidden ones aside, whose names end in one of the suffixes."""
    files = [path for path in folder.rglob("*") if _is_sample(path)]
    return sum(path.suffix.lower() in suffixes for path in files) / max(1, len(files))
