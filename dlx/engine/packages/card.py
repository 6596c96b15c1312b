"""The card of a packed run: what it learned from what, how well, under which conditions, and how it is used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlx.engine.checkpoint import load_checkpoint, metadata_of
from dlx.engine.training.checkpointer import BEST
from dlx.notices import dlx_command

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


def model_card(name: str, final: Path, folder: Path) -> str:
    """Return a run's card as Markdown; `final` is the directory of its end, its last stage's if it has some."""
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    content = load_checkpoint(final / "checkpoints" / BEST)
    metadata = metadata_of(content)
    recipe, facts = metadata["recipe"], metadata["facts"]
    lines = [f"# {_escape(name)}", ""]
    if recipe.get("description"):
        lines += [_escape(" ".join(str(recipe["description"]).split())), ""]
    lines += [f"- {title}: {value}" for title, value in _rows(recipe, facts, content["state_dict"])]
    lines += ["", "## Results", "", *_results(record), ""]
    lines += ["## Conditions", "", *_conditions(final), ""]
    lines += ["## Use", "", "```"]
    lines += [dlx_command("unpack", f"{name}.zip"), dlx_command("predict", name, "INPUT"), dlx_command("eval", name)]
    return "\n".join([*lines, "```", "", "Weights are safetensors; the file holds no code.", ""])


def _rows(recipe: Mapping[str, Any], facts: Mapping[str, Any], weights: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Task", _type_of(recipe.get("task"))
    yield "Model", _type_of(recipe.get("model"))
    counts = ", ".join(f"{count:,} {split}" for split, count in facts.get("counts", {}).items() if count)
    yield "Data", f"{_type_of(recipe.get('data', {}).get('source'))} ({counts})"
    if facts.get("classes"):
        shown = facts["classes"][:20]
        more = f" … {len(facts['classes']):,} in all" if len(facts["classes"]) > len(shown) else ""
        yield "Classes", _escape(", ".join(map(str, shown))) + more
    yield "Numbers in the weights", f"{sum(w.numel() for w in weights.values()):,}"


def _type_of(value: Any) -> str:
    """Return the type of a component; of several by role, all of them."""
    if isinstance(value, dict) and "type" not in value:
        return ", ".join(f"{_escape(role)} {_type_of(part)}" for role, part in value.items())
    return _escape(str(value.get("type") if isinstance(value, dict) else value))


def _results(record: Mapping[str, Any]) -> Iterator[str]:
    claims = {claim["metric"]: claim for claim in record.get("verdict", [])}
    yield "| metric | value | expected | verdict |"
    yield "|---|---:|---|---|"
    for metric, value in sorted(record.get("metrics", {}).items()):
        claim = claims.get(metric, {})
        verdict = "" if not claim else "held" if claim["held"] else "failed"
        yield f"| {_escape(metric)} | {value:.6g} | {_escape(str(claim.get('claim', '')))} | {verdict} |"


def _conditions(final: Path) -> Iterator[str]:
    try:
        lock = json.loads((final / "lock.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        yield "Not known."
        return
    packages = ", ".join(f"{name} {version}" for name, version in lock["packages"].items())
    yield f"- Python {lock['python']}, dlx {lock['dlx']}, {_escape(packages)}"
    yield f"- Device: {_escape(str(lock.get('kernels', {}).get('device', lock['hardware']['accelerator'])))}"
    yield f"- Data: SHA-256 {lock['data']}"


def _escape(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
