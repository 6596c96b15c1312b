"""Programs: a run traced by torch.export, with free batch and time dimensions."""

from __future__ import annotations

import warnings

import torch
from torch.export import ExportedProgram

from dlx.errors import RunError
from dlx.exporters import Exportable


def export_program(run: Exportable) -> ExportedProgram:
    """Trace a run. Raises: RunError if torch.export has no operator for what a layer does."""
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            shapes = (tuple(dict(free) for free in run.dynamic_shapes),)
            return torch.export.export(run.function, tuple(run.example), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # torch raises many kinds
        raise RunError(f"torch.export cannot export the run: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return the line of an error's message that says most: the first one that is not empty."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
