"""Names and texts that MLflow takes, made of any that a recipe may hold; two that differ stay two."""

from __future__ import annotations

import hashlib
import posixpath
import re

NAME_LENGTH = 250  # characters that MLflow takes of a metric's, a parameter's and a tag's name
PARAM_LENGTH = 6000  # of a parameter's value
TAG_LENGTH = 5000  # of a tag's value: the least among MLflow's stores
RESERVED = "mlflow."
_FORBIDDEN = re.compile(r"[^\w\-. /:]")
_DIGITS = 8  # of the hash that keeps changed names apart


def acceptable(name: str) -> str:
    """Return the name as it is if MLflow takes it, else one that it takes, with a hash of the original at its end."""
    if _is_taken(name):
        return name
    parts = [part for part in _FORBIDDEN.sub("_", name).split("/") if part.strip(".")]
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{'/'.join(parts)[: NAME_LENGTH - _DIGITS - 1].rstrip('/') or '_'}-{mark}"


def _is_taken(name: str) -> bool:
    if not name or len(name) > NAME_LENGTH or _FORBIDDEN.search(name):
        return False
    return posixpath.normpath(name) == name and name != "." and not name.startswith(("/", ".."))


def acceptable_tag(name: str) -> str:
    """Return a tag's name; those that begin with `mlflow.` are MLflow's own and moved away from there."""
    return acceptable(f"user.{name}" if name.startswith(RESERVED) else name)


def shortened(text: str, length: int) -> str:
    """Return the text, cut where MLflow would refuse it."""
    return text if len(text) <= length else text[: length - 1] + "…"
