"""What the data say about themselves. Torch-free, JSON in and out, stored in every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from dlx.errors import ShapeError
from dlx.nearest import nearest
from dlx.tensors import Spec, Stats, TensorSpec

IGNORED = -100
"""The code of a pixel or token without a class, which neither losses nor metrics see; torch's own `ignore_index`."""

Kind = Literal["classes", "labels", "regression", "tokens", "samples"]


@dataclass(frozen=True)
class Lengths:
    """How long the sequences of a field are: on average in the train split, and at most in any split."""

    mean: float
    max: int


@dataclass(frozen=True)
class DataFacts:
    """Shapes, classes, counts and statistics of a data set, after transforms, learned from its train split alone.

    fields        every field of a sample that a network or loss may see
    inputs        names of the fields that are input; one gives a tensor, several a record
    target        name of the field to predict, None where there is none
    classes       names of the classes of the target, empty where it is not categorical
    multilabel    whether a sample may belong to several classes at once (the target is then a 0/1 vector)
    categories    category names of each categorical input column, in the order of their codes
    tokenizers    what `dlx.tokenizers.store` keeps of the trained tokenizer of each text field
    lengths       how long the sequences of each field are whose length varies
    class_counts  how often each class stands in the train split
    ordered       whether samples follow one another, as text and series do: splits are then by order
    counts        samples in each split
    season        steps after which a series repeats, 1 where it does not
    fingerprint   SHA-256 over what the data are and how they were split
    ignored       whether some pixels or tokens have no class
    inferred      how the source read its files where the recipe does not say
    warnings      what may be wrong with the data
    missing       splits in which samples lack a number, for each input field that lacks some
    """

    fields: Mapping[str, TensorSpec]
    inputs: tuple[str, ...]
    target: str | None = None
    classes: tuple[str, ...] = ()
    multilabel: bool = False
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tokenizers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lengths: Mapping[str, Lengths] = field(default_factory=dict)
    class_counts: tuple[int, ...] = ()
    ordered: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    season: int = 1
    fingerprint: str = ""
    ignored: bool = False
    inferred: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def input(self) -> Spec:
        """What a network receives: one tensor, or a record of named fields."""
        if len(self.inputs) == 1:
            return self.fields[self.inputs[0]]
        return {name: self.fields[name] for name in self.inputs}

    @property
    def has_one_class_each(self) -> bool:
        """Whether the target is one class of the whole sample, by which samples can be stratified."""
        return self.kind == "classes" and not self.fields["target"].axes

    @property
    def kind(self) -> Kind:
        """What the target is: one of several classes, a 0/1 vector of labels, numbers, or a sequence of tokens."""
        if not self.classes:
            return "tokens" if self.target is not None and self.fields[self.target].vocab else "regression"
        return "labels" if self.multilabel else "classes"

    def class_index(self, name: str) -> int:
        """Return the index of a class. Raises: ShapeError with the classes that may be meant."""
        if name not in self.classes:
            near = nearest(name, self.classes) or self.classes
            raise ShapeError(f"there is no class '{name}'; there is {', '.join(near)}")
        return self.classes.index(name)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DataFacts:
        """Read what `to_json` wrote."""
        fields = {name: _tensor_spec(value) for name, value in data["fields"].items()}
        categories = {name: tuple(values) for name, values in data["categories"].items()}
        lengths = {name: Lengths(**value) for name, value in data.get("lengths", {}).items()}
        missing = {name: tuple(splits) for name, splits in data.get("missing", {}).items()}
        rest: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**{**rest, "fields": fields, "categories": categories, "lengths": lengths, "missing": missing})


def _tensor_spec(data: Mapping[str, Any]) -> TensorSpec:
    stats = data.get("stats")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    if stats is not None:
        known: dict[str, Any] = {k: tuple(tuple(x) if isinstance(x, list) else x for x in v) for k, v in stats.items()}
        values["stats"] = Stats(**known)
    return TensorSpec(**values)
