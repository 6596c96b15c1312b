"""Samples that come after training, encoded as training encoded its own: by the facts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlx.data.inputs import encode_categories
from dlx.data.prepare import Prepared
from dlx.data.rows import lacks_any, take_rows
from dlx.data.targets import encode_target
from dlx.data.text import TextEncoder, running_text_fields
from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.recipe.schema.data import Data
from dlx.sources import Column, LazySamples, Samples, Spans


def prepare_new_data(data: Data, base: Path, target_kind: str | None, facts: DataFacts) -> Prepared:
    """Read data other than those of training; all of their samples are one split, `test`.

    Raises: DataError where they lack a column, or hold a class, that training knew.
    """
    samples = data.source.load(base, data.on_error)
    if samples.blocks is not None:
        (name,) = samples.inputs
        text = TextEncoder.from_stored(facts.tokenizers["tokens"])
        documents = list(samples.columns[name].values)
        arrays, _ = running_text_fields({"test": documents}, text, samples.blocks, target_kind, ends=len(documents) > 1)
        return as_test_split(arrays, facts, samples.problems)
    names = _targets(data, samples) if target_kind is not None else ()
    samples = _with_targets(samples, names)
    arrays, warnings = encode_new_inputs(samples.columns, facts)
    if names:
        arrays["target"] = encode_new_target([samples.columns[n] for n in names], names, target_kind, facts)
    problems = [*samples.problems, *samples.warnings, *warnings]
    return replace(as_test_split(arrays, facts, problems), identity=samples.identity)


def as_test_split(arrays: Mapping[str, Any], facts: DataFacts, problems: Sequence[str] = ()) -> Prepared:
    """Return encoded samples, all of them in `test`."""
    n, none = len(next(iter(arrays.values()))), np.array([], dtype=int)
    return Prepared(facts, arrays, {"train": none, "val": none, "test": np.arange(n)}, list(problems))


def encode_new_inputs(columns: Mapping[str, Column], facts: DataFacts) -> tuple[dict[str, Any], list[str]]:
    """Encode inputs as training did, and return what is strange about them: categories that training never saw.

    Raises: DataError for what does not fit.
    """
    arrays: dict[str, Any] = {}
    warnings: list[str] = []
    for field in facts.inputs:
        names = facts.fields[field].names
        if field == "numeric" and names:
            table = [np.asarray(_column(columns, n).values, dtype=np.float32) for n in names]
            arrays[field] = np.stack(table, axis=1)
        elif field in facts.tokenizers:
            text = TextEncoder.from_stored(facts.tokenizers[field])
            arrays[field] = text.encode(_column(columns, field).values, field)
        elif field == "categorical":
            found = [encode_categories(n, _category_names(_column(columns, n)), facts.categories[n]) for n in names]
            arrays[field] = np.stack([codes for codes, _ in found], axis=1)
            warnings += [warning for _, warning in found if warning]
        else:
            arrays[field] = _whole(field, _column(columns, field), facts)
    return arrays, warnings


def _column(columns: Mapping[str, Column], name: str) -> Column:
    if name not in columns:
        raise DataError(f"there is no field '{name}', with which the model was trained; there are {', '.join(columns)}")
    return columns[name]


def _category_names(column: Column) -> Any:
    return [column.classes[int(v)] for v in column.values] if column.classes else column.values


def _whole(field: str, column: Column, facts: DataFacts) -> Any:
    values, spec = column.values, facts.fields[field]
    dims = _dims(values)
    fits = len(dims) == len(spec.dims) and all(w is None or d == w for d, w in zip(dims, spec.dims, strict=True))
    if not fits:
        raise DataError(f"'{field}' is {' × '.join(map(str, dims)) or 'a number'}, but the model takes {spec}")
    if isinstance(values, LazySamples):
        return values
    if isinstance(values, Spans):
        return Spans(values.values.astype(np.float32), values.starts, values.lengths)
    if spec.dtype == "uint8" and values.dtype != np.uint8:
        raise DataError(f"'{field}' holds {values.dtype}, but the model takes bytes from 0 to 255")
    return values if spec.dtype == "uint8" else np.asarray(values, dtype=np.float32)


def _dims(values: Any) -> tuple[int | None, ...]:
    if isinstance(values, Spans):
        return (values.length, *values.values.shape[1:])
    return tuple(values.shape) if isinstance(values, LazySamples) else tuple(values.shape[1:])


def encode_new_target(columns: list[Column], names: tuple[str, ...], kind: str | None, facts: DataFacts) -> Any:
    """Encode a target with the classes of training. Raises: DataError for a class that training did not have."""
    if kind == "tokens":
        return TextEncoder.from_stored(facts.tokenizers["target"]).encode(columns[0].values, names[0], ends=True)
    found = encode_target(columns, names, kind)
    if found.multilabel != facts.multilabel and kind != "regression":
        raise DataError("the target is of one class a sample in one set of data, and of several in the other")
    values = found.arrays["target"]
    if not facts.classes or facts.multilabel:
        if found.fields["target"].dims != facts.fields["target"].dims:
            raise DataError(
                f"the target has {found.fields['target']} columns, but the model gives {facts.fields['target']}"
            )
        return values
    unseen = sorted(set(found.classes) - set(facts.classes))
    if unseen:
        raise DataError(f"the model was not trained on the class {unseen[0]}; it knows {', '.join(facts.classes[:20])}")
    codes: np.ndarray = np.array([facts.classes.index(c) for c in found.classes], dtype=np.int64)
    return Spans(codes[values.values], values.starts, values.lengths) if isinstance(values, Spans) else codes[values]


def _targets(data: Data, samples: Samples) -> tuple[str, ...]:
    asked = data.target if data.target is not None else samples.target
    names = () if asked is None else (asked,) if isinstance(asked, str) else tuple(asked)
    if not names or any(n not in samples.columns for n in names):
        raise DataError(f"data.target: there is no '{', '.join(names)}'; there are {', '.join(samples.columns)}")
    return names


def _with_targets(samples: Samples, names: tuple[str, ...]) -> Samples:
    """Return the samples that have a target; those without are listed in `problems`."""
    missing = lacks_any(samples, names)
    if not missing.any():
        return samples
    problems = [*samples.problems, f"{missing.sum()} samples have no target and are left out"]
    return replace(take_rows(samples, ~missing), problems=problems)
