"""A worker process of a distributed run, as rank 0 launches it: `python -m dlx.engine.runs.launch`.

It reads its order, the resolved recipe among it, from its standard input, and ends when that is closed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from dlx.console import echo
from dlx.errors import DlxError


def main() -> None:
    """Train together with rank 0."""
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        _join_run(order)
    except DlxError as error:
        echo(f"error: {error}", error=True)
        sys.exit(1)


def _join_run(order: dict[str, Any]) -> None:
    from torch._C._distributed_c10d import TCPStore

    import dlx.plan
    from dlx.engine.runs.run import build_with_features, run_worker
    from dlx.facts import DataFacts
    from dlx.plugins import activate_plugins
    from dlx.recipe.load import LoadedRecipe, with_environment
    from dlx.recipe.schema.recipe import Recipe

    activate_plugins()
    recipe = Recipe.model_validate(with_environment(order["recipe"]))
    plan = dlx.plan.make(LoadedRecipe(recipe, Path(order["base"])), facts=DataFacts.from_json(order["facts"]))
    experiment = build_with_features(plan)
    port, size = int(os.environ["MASTER_PORT"]), int(os.environ["WORLD_SIZE"])
    store = TCPStore(os.environ["MASTER_ADDR"], port, size, is_master=False)
    store.set(f"ready/{os.environ['RANK']}", "1")
    run_worker(experiment, order["fast"], store, order["pause_after_epoch"])


def _exit_with_parent() -> None:
    os.read(0, 1)  # nothing more is written: it returns when the other end is closed
    os._exit(1)


if __name__ == "__main__":
    main()
