"""What a plain word of YAML means: the core schema of YAML 1.2, and a refusal where readers disagree."""

from __future__ import annotations

import math
import re

from dlx.recipe.yaml.node import Scalar

_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": math.inf, ".Inf": math.inf, ".INF": math.inf, "+.inf": math.inf, "+.Inf": math.inf, "+.INF": math.inf,
    "-.inf": -math.inf, "-.Inf": -math.inf, "-.INF": -math.inf, ".nan": math.nan, ".NaN": math.nan, ".NAN": math.nan,
}  # fmt: skip
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(?:[eE][-+]?[0-9]+)?\Z")
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:_[0-9]{3})+(?:\.[0-9]*)?\Z")
_MAX_DIGITS = 400
_MAX_INT = 2**63


class AmbiguousError(ValueError):
    """A word that YAML readers understand differently; `suggestion` says what to write instead."""

    def __init__(self, message: str, suggestion: str) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def resolve(text: str) -> Scalar:
    """Return the value of an unquoted word.  Raises: AmbiguousError where it must not be guessed."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    _refuse_ambiguous(text)
    if _INT.match(text):
        return _integer(text, 10)
    if _FLOAT.match(text):
        return _float(text)
    if _HEX.match(text):
        return _integer(text, 16)
    if _OCTAL.match(text):
        return _integer(text, 8)
    return text


def _refuse_ambiguous(text: str) -> None:
    if _LEADING_ZERO.match(text):
        number = text.lstrip("+-").lstrip("0") or "0"
        sign = "-" if text.startswith("-") else ""
        raise AmbiguousError(
            f"{_short(text)} is octal to some readers and decimal to others",
            f'write {sign}{_short(number)} for the number, "{_short(text)}" for the text',
        )
    if _GROUPED.match(text):
        raise AmbiguousError(
            f"{_short(text)} is a number to some readers and text to others",
            f'write {_short(text.replace("_", ""))} for the number, "{_short(text)}" for the text',
        )


def _integer(text: str, base: int) -> int:
    value = int(text, base) if len(text) <= _MAX_DIGITS else _MAX_INT
    if not -_MAX_INT <= value < _MAX_INT:
        raise AmbiguousError(f"{_short(text)} does not fit into 64 bits", f'write "{_short(text)}" if it is text')
    return value


def _float(text: str) -> float:
    value = float(text)
    digits = re.split("[eE]", text)[0]
    if math.isinf(value) or (value == 0 and re.search("[1-9]", digits)):
        size = "large" if math.isinf(value) else "small"
        raise AmbiguousError(
            f"{_short(text)} is too {size} for a floating-point number", "write .inf or 0 if that is meant"
        )
    return value


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:20] + "…"
