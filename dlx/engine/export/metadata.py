"""The metadata of an artifact: what it is, what goes in and what comes out, and how the run is built again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlx.engine.export.inputs import has_fixed_steps, plan_inputs
from dlx.exporters import OUTPUT
from dlx.files import write_atomic
from dlx.plan import Plan
from dlx.run_folders import TOKENIZERS, mlflow_id
from dlx.version import __version__

FORMAT = 1
"""Version of the metadata."""


def artifact_metadata(plan: Plan, content: Mapping[str, Any], checkpoint: Path) -> dict[str, Any]:
    """Return the metadata as plain JSON values; `content` is what the checkpoint carries."""
    facts, folder = plan.facts, checkpoint.parent.parent
    outside = dict.fromkeys(facts.tokenizers, f"token ids by `facts.tokenizers`, also in {TOKENIZERS}")
    if facts.categories:
        outside["categorical"] = "codes: the place of each category in `categories`, by column"
    inside: list[Any] = list(plan.recipe.data.transforms)
    return {
        "format": FORMAT,
        "dlx": __version__,
        "run": folder.name,
        "mlflow_run": mlflow_id(folder),
        "name": plan.recipe.name,
        "task": plan.recipe.task.type,
        "inputs": [entry.to_json() for entry in plan_inputs(plan)],
        "fixed_steps": has_fixed_steps(plan),
        "output": OUTPUT,
        "classes": list(facts.classes),
        "categories": {name: list(values) for name, values in facts.categories.items()},
        "preprocessing": {"inside": [transform.type for transform in inside], "outside": outside},
        "recipe": content["recipe"],
        "facts": content["facts"],
        "base": content.get("base", "."),
        "plugins": content.get("plugins", []),
    }


def tokenizers_file(plan: Plan, folder: Path) -> list[Path]:
    """Write the tokenizer of every field with text beside an artifact; return the file, if there are some."""
    if not plan.facts.tokenizers:
        return []
    path = folder / TOKENIZERS
    write_atomic(path, json.dumps(dict(plan.facts.tokenizers)).encode())
    return [path]
