"""Cells of a column: numbers or categories, which cells are neither, and what a column of categories may really be."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

NUMERIC_SHARE = 0.95
"""A column with at least this share of numbers was meant to hold nothing else."""
FEW = 4
"""One single odd cell among this many numbers is a mistake too, however short the column."""
EXACT = 2**53
"""From here on float64 no longer tells whole numbers apart."""
FEW_VALUES = 20
MANY_VALUES = 0.5
"""With more distinct values than both, as a number and as a share of the rows, categories say little of other rows."""
THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+")
POINTED_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+\.\d+")
COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d*),\d+")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2})?.*")
UNIT = re.compile(r"([$€£¥]?)\s*[-+]?[\d.,]*\d\s*([^\d\s]{0,6})")
PLAIN = ("str", "bool", "int", "float")
MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
"""Cells that mean that a value is missing, unless a recipe says others."""


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


def parse_numbers(cells: np.ndarray, decimal: str = ".", thousands: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Return cells as numbers, NaN where missing or wrong, and a mask of the wrong ones (infinity is wrong).

    They are float64, but for whole numbers beyond what float64 tells apart: those stay whole, with None where missing.
    """
    import numpy as np
    import pandas as pd

    present = np.array([cell is not None for cell in cells], dtype=bool)
    plain = [None if isinstance(cell, bool) else _with_point(cell, decimal, thousands) for cell in cells]
    values = pd.to_numeric(pd.Series(plain, dtype=object), errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    wrong = present & ~np.isfinite(values)
    values = np.where(wrong, np.nan, values)
    large = (abs(values) >= EXACT).any() and not wrong.any()
    return (exact_integers(plain) if large else values), wrong


def _with_point(cell: object, decimal: str, thousands: str) -> object:
    """Return a text cell with a decimal point and no separator of thousands."""
    if not isinstance(cell, str) or (decimal == "." and not thousands):
        return cell
    cell = cell.replace(thousands, "") if thousands else cell
    return None if decimal != "." and "." in cell else cell.replace(decimal, ".")


def exact_integers(cells: Sequence[Any]) -> np.ndarray:
    """Return cells as whole numbers, int64 where all fit and none is missing; as float64 if one is not whole."""
    import numpy as np

    try:
        whole = [None if cell is None or cell != cell else _integer(cell) for cell in cells]
    except ValueError:
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    if None not in whole and all(-(2**63) <= value < 2**63 for value in whole if value is not None):
        return np.array(whole, dtype=np.int64)
    values = np.empty(len(whole), dtype=object)
    values[:] = whole
    return values


def _integer(cell: Any) -> int:
    """Return a cell that is a whole number. Raises: ValueError if it is not."""
    if isinstance(cell, float) and not cell.is_integer():
        raise ValueError(f"{cell} is not whole")
    return int(cell)


def is_numeric(cells: np.ndarray, wrong: np.ndarray) -> bool:
    """Whether a column holds numbers, give or take a mistake; a column without a single cell counts as numbers."""
    present = int(sum(cell is not None for cell in cells))
    bad = int(wrong.sum())
    return bad == 0 or bad <= (1 - NUMERIC_SHARE) * present or (bad == 1 and present > FEW)


def as_categories(cells: np.ndarray, strip_end: str) -> np.ndarray:
    """Return cells as strings with None where missing."""
    import numpy as np

    values = np.empty(len(cells), dtype=object)
    values[:] = [None if cell is None else category_name(cell).rstrip(strip_end).rstrip() for cell in cells]
    return values


def category_name(cell: object) -> str:
    """Return a cell as the name of a category; 3.0 is 3."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def category_warning(name: str, cells: np.ndarray) -> str:
    """Return why a column of categories may be meant as something else; "" where nothing speaks for it."""
    present = [cell for cell in cells if cell is not None]
    texts = [str(cell) for cell in present]
    distinct = len(set(texts))
    if distinct <= 1:
        return ""
    seen = f"column {name}: {distinct:,} categories in {len(present):,} rows, such as {texts[0][:40]}"
    other = next((kind for cell in present if (kind := type(cell).__name__) not in PLAIN), "")
    meant = f"values of type {other}" if other else _number_format_warning(texts)
    if not meant and distinct > FEW_VALUES:
        meant = "dates or times?" if _mostly(DATE, texts) else _unit(texts)
    if not meant and distinct > max(FEW_VALUES, MANY_VALUES * len(present)):
        meant = f"an identifier (`types: {{{name}: ignore}}`) or text (`types: {{{name}: text}}`)?"
    return f"{seen}: {meant}" if meant else ""


def _number_format_warning(texts: list[str]) -> str:
    """Return what is said of numbers with a decimal comma or a separator of thousands."""
    if _mostly(COMMA, texts) and not _mostly(THOUSANDS, texts):
        pointed = any("." in text for text in texts)
        return "numbers with a decimal comma? `decimal: ','`" + (" and `thousands: .`" if pointed else "")
    grouped = [text for text in texts if THOUSANDS.fullmatch(text) or POINTED_THOUSANDS.fullmatch(text)]
    if len(grouped) < NUMERIC_SHARE * len(texts):
        return ""
    if any(POINTED_THOUSANDS.fullmatch(text) for text in texts):
        return "numbers with a separator of thousands? `thousands: ','`"
    return "numbers with a decimal comma (`decimal: ','`) or a separator of thousands (`thousands: ','`)?"


def _unit(texts: list[str]) -> str:
    """Return what is said of numbers with a unit before or behind them: the same one, or one of two."""
    found = [match.groups() for text in texts if (match := UNIT.fullmatch(text))]
    units = {unit for unit in found if any(unit)}
    if len(found) < NUMERIC_SHARE * len(texts) or not units or len(set(found)) > 2:
        return ""
    shown = next("".join(unit) for unit in units)
    return f"numbers with a unit ({shown})? write plain numbers, and the unit into the column's name"


def _mostly(form: re.Pattern[str], texts: list[str]) -> bool:
    return sum(form.fullmatch(text) is not None for text in texts) >= NUMERIC_SHARE * len(texts)
