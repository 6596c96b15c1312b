"""What the cells of a column are: numbers or categories, and which are neither."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NUMERIC_SHARE = 0.95
"""A column with at least this share of numbers was meant to hold nothing else."""
FEW = 4
"""One single odd cell among this many numbers is a mistake too, however short the column."""


def clean_cells(cells: np.ndarray, missing: Collection[str]) -> np.ndarray:
    """Strip spaces from text cells and put None where a cell says that it is missing."""
    import numpy as np

    def one(cell: object) -> object:
        if isinstance(cell, str):
            stripped = cell.strip()
            return None if stripped in missing else stripped
        return None if isinstance(cell, float) and np.isnan(cell) else cell

    cleaned = np.empty(len(cells), dtype=object)
    cleaned[:] = [one(cell) for cell in cells]
    return cleaned


def parse_numbers(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cells as float64 with NaN where missing or wrong, and a mask of the wrong ones (infinity is wrong)."""
    import numpy as np
    import pandas as pd

    present = np.array([cell is not None for cell in cells], dtype=bool)
    flags = np.array([isinstance(cell, bool) for cell in cells], dtype=bool)
    text = pd.Series([None if flag else cell for cell, flag in zip(cells, flags, strict=True)], dtype=object)
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    wrong = present & ~np.isfinite(values)
    return np.where(wrong, np.nan, values), wrong


def is_numeric(cells: np.ndarray, wrong: np.ndarray) -> bool:
    """Whether a column holds numbers, give or take a mistake; a column without a single cell counts as numbers."""
    present = int(sum(cell is not None for cell in cells))
    bad = int(wrong.sum())
    return bad == 0 or bad <= (1 - NUMERIC_SHARE) * present or (bad == 1 and present > FEW)


def as_categories(cells: np.ndarray, strip_end: str) -> np.ndarray:
    """Return cells as strings with None where missing."""
    import numpy as np

    values = np.empty(len(cells), dtype=object)
    values[:] = [None if cell is None else _name(cell).rstrip(strip_end).rstrip() for cell in cells]
    return values


def _name(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
