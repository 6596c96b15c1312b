"""Permissions of a recipe: the environment variables that it may read, and the hosts to which its runs may be sent.

A recipe may come from anybody. What it may know of the machine, and where it may send anything, is its user's to say:
by an option of the command, or by a variable of the environment.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from collections.abc import Iterable
from urllib.parse import urlsplit

READABLE = re.compile(r"DLX_\w+|HOME|USER")
ALLOWED_VARIABLES = "DLX_ALLOW_ENV"
"""Environment variable with the names of further ones that recipes may read, separated by commas."""
TRACKING_HOSTS = "DLX_TRACKING_HOSTS"
"""Environment variable with the hosts that a recipe may name as its tracker, separated by commas."""
TRACKING_URI = "MLFLOW_TRACKING_URI"
CHOSEN_URI = "DLX_TRACKING_URI"
"""Environment variable with the tracker of every run, whatever its recipe names; `--tracking-uri` sets it."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")
_LOCAL_SCHEMES = re.compile(r"|file|sqlite(\+\w+)?")


def is_readable(variable: str) -> bool:
    """Return whether a recipe may read an environment variable."""
    return READABLE.fullmatch(variable) is not None or variable in _names(ALLOWED_VARIABLES)


def allow_variables(names: Iterable[str]) -> None:
    """Allow recipes to read further environment variables, in this process and those that it starts."""
    _add_names(ALLOWED_VARIABLES, names)


def remote_host(uri: str) -> str:
    """Return the host that a tracking URI leads to, or its scheme where it names none; "" for this computer.

    Raises: ValueError if it is written so that two programs may read two hosts in it.
    """
    if not uri.isprintable() or "\\" in uri or " " in uri:
        raise ValueError("an address holds no blanks, backslashes or control characters")
    if _ADDRESS.match(uri) is None:
        return ""  # a path
    parts = urlsplit(uri)
    host = (parts.hostname or "").rstrip(".")
    if _LOCAL_SCHEMES.fullmatch(parts.scheme) and not host:
        return ""
    return "" if _is_loopback(host) else host or f"{parts.scheme}:"


def is_host_named(uri: str) -> bool:
    """Return whether a tracking URI leads to this computer, or to a host that the user has named."""
    host = remote_host(uri)
    configured = [os.environ[name] for name in (TRACKING_URI, CHOSEN_URI) if os.environ.get(name)]
    return not host or host in [*_names(TRACKING_HOSTS), *map(remote_host, configured)]


def refuse_tracker(uri: str) -> str | None:
    """Return why nothing is sent to a tracking URI, and what allows it; None where the user has named its host."""
    shown = without_password(uri)
    try:
        if is_host_named(uri):
            return None
    except ValueError as error:
        return f"the tracker {shown!r} is not used: {error}"
    return f"the tracker {shown} is not used, as you have not named it: --tracking-uri {shlex.quote(shown)}"


def choose_tracker(uri: str | None) -> None:
    """Track all runs of this process, and of those that it starts, at a URI, if there is one."""
    if uri is not None:
        os.environ[CHOSEN_URI] = uri


def name_host(uri: str) -> None:
    """Let runs be sent to the host of a tracking URI, from this process and those that it starts."""
    _add_names(TRACKING_HOSTS, filter(None, [remote_host(uri)]))


def without_password(uri: str) -> str:
    """Return an address without the name and password that may stand in it."""
    return re.sub(r"(?<=//)[^/@]*@", "", uri)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(variable: str) -> list[str]:
    return [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]


def _add_names(variable: str, names: Iterable[str]) -> None:
    os.environ[variable] = ",".join(dict.fromkeys([*_names(variable), *names]))
