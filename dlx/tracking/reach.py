"""Whether the tracker answers."""

from __future__ import annotations

import re

from dlx.tracking.delivery import reason
from dlx.tracking.store import client, default_uri


def reach() -> tuple[str, str | None]:
    """Return where this directory's runs are tracked, no password in it, and why it does not answer."""
    address = default_uri()
    shown = re.sub(r"//[^/@]*@", "//…@", address)
    try:
        client(address).search_experiments(max_results=1)
    except Exception as error:  # whatever a tracker does is what was asked about
        return shown, reason(error).replace(address, shown)
    return shown, None
