"""Puts the gallery into the wheel: an editable install finds it in the clone, where a copy would grow stale."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Gallery(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the folder `recipes` to the package `dlx` of a wheel that is not editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the folder for the build. Called before a wheel is written."""
        if version != "editable":
            build_data["force_include"]["recipes"] = "dlx/recipes"
