"""Exporters: a trained run as a file that other runtimes execute, held against the run before it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from pydantic import Field

from dlx.component import Component, leaf_class, types
from dlx.errors import UsageError
from dlx.layers import Layer, walk
from dlx.rules import CheckContext, Problem, Rule
from dlx.tensors import Spec

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

METADATA = "dlx"
"""Key of an artifact's metadata: what it is, and how its inputs are made, as JSON."""
OUTPUT = "predictions"
"""Name of an artifact's output."""
FIGURES = ("agreement", "max_abs_difference", "latency_ratio", "latency_ratio_32")
"""What is measured of every artifact, besides the change of each metric and its size."""


class NotExportable(Rule):
    """The network or the task cannot be exported in this format.

    A format has operators for what most layers compute, and none for the others. A task can be exported if its
    prediction is one function of a sample, and not a loop such as the generation of text.

    Why:      the export would fail after the training, or give other predictions than the run.
    Instead:  write another layer, or another format (`dlx list exporters`).
    """

    code: ClassVar[str] = "DLX480"


class Runtime(Protocol):
    """An artifact, or a run, that is ready to predict."""

    def __call__(self, inputs: Mapping[str, np.ndarray], repeats: int = 1) -> tuple[np.ndarray, list[float]]:
        """Return the predictions of a batch, and the seconds of each of so many repeats."""

    def close(self) -> None:
        """End what the runtime has started."""


class GraphRuntime(Runtime, Protocol):
    """An artifact that predicts in any process, and says what it is."""

    metadata: str | None
    """What dlx wrote into the file, as JSON; None where another program made it."""


@dataclass(frozen=True)
class Exportable:
    """What is exported: a run as one function from its encoded inputs to its predictions.

    function        the module: transforms, network, and what makes predictions of its output
    names           names of its inputs, in order
    example         a batch of inputs
    dynamic_shapes  the dimensions of each input that are free, as torch.export takes them
    state           the run's weights, by the names of its networks
    metadata        what stands in the artifact: plain JSON values
    calibration     yields so many train samples, as inputs by name, a batch at a time
    restore         makes a runtime of an artifact that is no graph, but weights and a recipe
    """

    function: nn.Module
    names: Sequence[str]
    example: Sequence[Tensor]
    dynamic_shapes: Sequence[Mapping[int, Any]]
    state: Mapping[str, Tensor]
    metadata: Mapping[str, Any]
    calibration: Callable[[int], Iterable[Mapping[str, np.ndarray]]]
    restore: Callable[[Path], Runtime]


class Exporter(Component):
    """A file format in which a trained run leaves dlx.

    An artifact is written once its own runtime has predicted the test split, and every prediction is within `tolerance`
    of the run's.
    """

    family = "exporters"
    file_name: ClassVar[str]
    """Name of the artifact."""
    reader: ClassVar[str] = ""
    """By what an artifact is read."""
    is_checkpoint: ClassVar[bool] = False
    """Whether an artifact is weights with a recipe, of which a run is restored."""

    tolerance: float = Field(1e-4, gt=0)
    """How far a prediction may be from the run's: absolutely where it is below 1, relatively above."""

    @property
    def artifact_name(self) -> str:
        """Name of the artifact's file."""
        return self.file_name

    @property
    def is_exact(self) -> bool:
        """Whether an artifact computes what the run computes, and not an approximation of it."""
        return True

    def variants(self) -> dict[str, Exporter]:
        """Return the artifacts that are written, by what is appended to the name of the format."""
        return {"": self}

    def limit(self, predictions: Any, spread: float) -> Any:
        """Return how far each prediction may be from that of the run; `spread` is the run's standard deviation."""
        return self.tolerance * abs(predictions).clip(1.0)

    def accepts(self, is_close: bool, agreement: float) -> bool:
        """Say whether an artifact is written: whether all of its predictions are within the tolerance."""
        return is_close

    def layer_refusal(self, layer: Layer, x: Spec) -> str | None:
        """Return why a layer cannot be exported in this format; None where it can."""
        return None

    def check(self, context: CheckContext) -> Iterable[Problem]:
        task = context.recipe.task
        if task.export_refusal is not None:
            yield NotExportable.at(f"a run of the task {task.type} cannot be exported: {task.export_refusal}")
        for role, network in context.networks.items():
            for path, layer, x in walk(network.tree, network.input):
                why = self.layer_refusal(layer, x)
                if why is not None:
                    yield NotExportable.at(f"{self.type} cannot export {role}.{path} ({layer.type}): {why}")

    def write(self, run: Exportable, folder: Path) -> list[Path]:
        """Write the artifact, and the files that belong to it, into a folder; return them, the artifact first."""
        raise NotImplementedError

    def open(self, path: Path, run: Exportable) -> Runtime:
        """Load an artifact by its own runtime."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path) -> GraphRuntime:
        """Load a graph with which `dlx predict` goes on, without torch. Raises: UsageError; CheckpointError."""
        raise UsageError(f"{path} is not for dlx: it is read {cls.reader}; name the run, or its .onnx file")


def exporter_of(path: Path) -> type[Exporter] | None:
    """Return the exporter whose artifacts end as a file does; None where there is none."""
    leaves = (cast(type[Exporter], leaf_class("exporters", name)) for name in types("exporters"))
    return next((leaf for leaf in leaves if Path(leaf.file_name).suffix == path.suffix), None)


def variants_by_name(exporters: Mapping[str, Exporter]) -> dict[str, Exporter]:
    """Return every artifact that exporters write, by its name."""
    return {f"{name}{end}": one for name, exporter in exporters.items() for end, one in exporter.variants().items()}


def figure_names(exporters: Mapping[str, Exporter], metrics: Iterable[str]) -> Iterator[str]:
    """Yield the name of every figure that an export measures, given the metrics of the task on a split."""
    names = [*FIGURES, "size", *(f"{metric}_change" for metric in metrics if metric != "loss")]
    if exporters:
        yield from (f"export/{name}" for name in names if name != "size")
    yield from (f"export/{artifact}/{name}" for artifact in variants_by_name(exporters) for name in names)
