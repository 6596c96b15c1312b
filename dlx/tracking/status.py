"""The status of the tracker: its address, and whether it answers."""

from __future__ import annotations

import re

from dlx.tracking.delivery import error_summary
from dlx.tracking.store import default_uri, mlflow_client


def tracker_status() -> tuple[str, str | None]:
    """Return the address of this directory's tracker without credentials, and the error if it does not answer."""
    address = default_uri()
    shown = re.sub(r"//[^/@]*@", "//…@", address)
    try:
        mlflow_client(address).search_experiments(max_results=1)
    except Exception as error:  # any failure of the tracker is the answer
        return shown, error_summary(error).replace(address, shown)
    return shown, None
