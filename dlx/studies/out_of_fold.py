"""Out-of-fold predictions: every sample, predicted by the one network of a variant that was not trained on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.engine.inference.predict import predict_split
from dlx.engine.training.progress import StepProgress
from dlx.errors import DlxError
from dlx.files import write_table
from dlx.studies.folder import StudyFolder

FILE = "out_of_fold.csv"
"""File of a study's folder: variant, fold from 1, row from 0, what else tells the row apart, truth, predictions."""


@dataclass(frozen=True)
class OutOfFold:
    """The predictions of all folds: where they are and how many, or why there are none."""

    path: Path | None
    count: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"path": None if self.path is None else str(self.path), "count": self.count, "reason": self.reason}

    def __str__(self) -> str:
        return f"none: {self.reason}" if self.path is None else f"{self.path} ({self.count:,} predictions)"


def write_out_of_fold(study: StudyFolder, variants: Iterable[str], folds: int, console: Any) -> OutOfFold:
    """Predict the val samples of every fold by its own run, and write all of them into one file.

    A task without a table of predictions has none, and says why.
    """
    import pandas as pd

    path = study.path / FILE
    runs = [(name, fold, study.variant_folder(name, fold)) for name in variants for fold in range(folds)]
    if not _is_newer(path, [folder for _, _, folder in runs]):
        try:
            steps = StepProgress(console)(runs, "predictions out of fold")
            frames = [_predict_fold(name, fold, folder) for name, fold, folder in steps]
        except DlxError as error:
            return OutOfFold(None, reason=str(error))
        write_table(pd.concat(frames, ignore_index=True), path)
    return OutOfFold(path, len(pd.read_csv(path, usecols=["row"])))


def _predict_fold(variant: str, fold: int, folder: Path) -> Any:
    import pandas as pd

    found = predict_split(folder, "val")
    place = {"variant": variant, "fold": fold + 1, "row": list(found.rows)}
    others = {name: values for name, values in found.columns.items() if name not in place}
    return pd.DataFrame({**place, **others}).sort_values("row")


def _is_newer(path: Path, folders: list[Path]) -> bool:
    """Return whether the file was written after the last run of these ended."""
    return path.exists() and all((f / "run.json").stat().st_mtime < path.stat().st_mtime for f in folders)
