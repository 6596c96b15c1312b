"""Names and values that MLflow accepts, made from any that a recipe may hold; different names stay different."""

from __future__ import annotations

import hashlib
import html
import posixpath
import re

from dlx.console import printable

NAME_LENGTH = 250  # characters of the name of a metric, a parameter or a tag
PARAM_LENGTH = 6000  # characters of a parameter's value
TAG_LENGTH = 5000  # characters of a tag's value: the smallest limit of MLflow's stores
RESERVED = "mlflow."
_FORBIDDEN = re.compile(r"[^\w\-. /:]")
_HASH_DIGITS = 8  # of the hash that keeps changed names apart


def valid_name(name: str) -> str:
    """Return a name that MLflow accepts: the name itself, or a sanitized one that ends in a hash of it."""
    if _is_valid(name):
        return name
    parts = [part for part in _FORBIDDEN.sub("_", name).split("/") if part.strip(".")]
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{'/'.join(parts)[: NAME_LENGTH - _HASH_DIGITS - 1].rstrip('/') or '_'}-{mark}"


def _is_valid(name: str) -> bool:
    if not name or len(name) > NAME_LENGTH or _FORBIDDEN.search(name):
        return False
    return posixpath.normpath(name) == name and name != "." and not name.startswith(("/", ".."))


def valid_tag_name(name: str) -> str:
    """Return a tag name that MLflow accepts; names that begin with `mlflow.` are reserved and get a prefix."""
    return valid_name(f"user.{name}" if name.startswith(RESERVED) else name)


def valid_value(text: str, length: int) -> str:
    """Return a value as text without control characters, cut to the length that MLflow accepts."""
    shown = printable(text)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def valid_note(text: str) -> str:
    """Return the note of a run, which MLflow's pages show as Markdown: what might be HTML is escaped."""
    return valid_value(html.escape(text, quote=False), TAG_LENGTH)
