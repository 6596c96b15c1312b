"""Everything that dlx raises on purpose.

DlxError                    one sentence for the user; the command line prints it and exits with `exit_code`
├── RecipeError             a recipe is wrong: carries diagnostics with file, line and column (exit 2)
├── UsageError              a command was called in a way that cannot work (exit 2)
├── ShapeError              a layer does not fit its input; gains a place in the recipe on its way up (exit 2)
├── DataError               the data contradict the recipe or themselves (exit 1)
├── CheckpointError         a checkpoint is damaged, foreign or absent (exit 1)
│   └── CheckpointWriteError  the operating system does not write it; training goes on without it
└── RunError                training failed (exit 1)
    └── DivergedError       the loss is no longer a number; the engine goes back and tries with a smaller lr
"""

from __future__ import annotations

from collections.abc import Sequence

from dlx.diagnostic import Diagnostic, Loc


class DlxError(Exception):
    """A failure that the user can understand and act on."""

    exit_code = 1


class RecipeError(DlxError):
    """One or more things are wrong with a recipe; each diagnostic knows its place."""

    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = list(diagnostics)
        super().__init__("\n".join(str(d) for d in self.diagnostics))


class UsageError(DlxError):
    """The command cannot mean what it says."""

    exit_code = 2


class ShapeError(DlxError):
    """A layer does not fit its input.

    `loc` is the path from the object that was asked to the layer that refused, built up as the error travels outwards.
    """

    exit_code = 2

    def __init__(self, message: str, loc: Loc = ()) -> None:
        super().__init__(message)
        self.message = message
        self.loc = loc

    def within(self, *loc: str | int) -> ShapeError:
        """Return the same error, seen from one level further out."""
        return ShapeError(self.message, (*loc, *self.loc))


class DataError(DlxError):
    """The data cannot be used as the recipe asks."""


class CheckpointError(DlxError):
    """A checkpoint cannot be trusted or found."""


class CheckpointWriteError(CheckpointError):
    """A checkpoint cannot be written now."""


class RunError(DlxError):
    """A run failed after it had begun."""


class DivergedError(RunError):
    """The training loss is no longer a number."""

    def __init__(self, loss: float, step: int) -> None:
        super().__init__(f"the training loss became {loss} at step {step}")
        self.step = step
