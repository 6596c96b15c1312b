"""One process of a run besides rank 0, as rank 0 starts it: `python -m dlx.engine.runs.launch`.

It reads what it is to do, the resolved recipe among it, from its standard input, and ends when that is closed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from dlx.errors import DlxError


def main() -> None:
    """Take part in the run."""
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    try:
        _take_part(order)
    except DlxError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _take_part(order: dict[str, Any]) -> None:
    from torch._C._distributed_c10d import TCPStore

    import dlx.plan
    from dlx.engine.runs.run import accompany, build_with_features
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
    store.set(f"there/{os.environ['RANK']}", "1")
    accompany(experiment, order["fast"], store)


def _end_with_the_first() -> None:
    os.read(0, 1)  # nothing more is written: it returns when the other end is closed
    os._exit(1)


if __name__ == "__main__":
    main()
