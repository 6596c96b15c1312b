"""From a source's samples to encoded arrays and the facts about them; everything is learned from the train split
alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlx.data.inputs import EncodedInputs, encode_inputs
from dlx.data.leaks import find_leaks
from dlx.data.rows import count_rows, lacks_any, row_keys, take_rows
from dlx.data.splits import split_documents, split_rows
from dlx.data.statistics import missing_numbers
from dlx.data.targets import EncodedTarget, align_to_tokens, encode_target, encode_text_target
from dlx.data.text import TextEncoder, lengths_of, running_text_fields, train_tokenizers
from dlx.errors import DataError
from dlx.facts import DataFacts, Lengths
from dlx.recipe.schema.data import Data
from dlx.recipe.schema.recipe import Recipe
from dlx.sources import Column, LazySamples, Samples, Spans, TextBlocks
from dlx.tasks import MASK, TERMS, WEIGHT

RESERVED = ("target", WEIGHT, TERMS, "rows", "numeric", "categorical")
"""Fields of a batch that are dlx's own."""


@dataclass(frozen=True)
class Prepared:
    """Data ready for batching.

    facts     what is known about them
    arrays    encoded fields by name, all rows of all splits
    rows      row numbers of each split
    problems  what was left out, and why
    identity  what tells each row apart, by name, such as its file or line
    extras    columns of the source by which rows may be told apart too
    time      of a series: which steps each row's target begins and ends with, (N, 2)
    """

    facts: DataFacts
    arrays: Mapping[str, Any]
    rows: Mapping[str, np.ndarray]
    problems: list[str]
    identity: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, Column] = field(default_factory=dict)
    time: np.ndarray | None = None


def prepare_for(recipe: Recipe, base: Path) -> Prepared:
    """Prepare the data of a recipe; relative paths begin at `base`. Raises: DataError."""
    return prepare(recipe.data, base, recipe.task.target_kind, recipe.task.special_tokens)


def prepare(data: Data, base: Path, target_kind: str | None, specials: Sequence[str] = ()) -> Prepared:
    """Load, split, learn the encodings from the train split, and encode.

    target_kind is what the task predicts: "classes", "labels", "regression", "tokens" (one text), "pairs" (whether one
    piece of a text follows another), or None where nothing is; `specials` are the special tokens that it needs.
    Running text has its own next token as the target, but for pairs.
    Raises: DataError where the data contradict the recipe.
    """
    samples = _load(data, base)
    if samples.blocks is not None:
        return _prepare_blocks(samples, samples.blocks, data, base, (target_kind, specials))
    if target_kind == "pairs":
        raise DataError("pieces that follow one another are those of running text: use the source `text`")
    inputs = _choose_inputs(data, samples)
    names = _choose_target(data, samples) if target_kind is not None else ()
    samples = _drop_missing_targets(samples, names, data.on_error)
    _check_skipped(samples, data)
    samples, repeated = _collapse_repeats(samples, (*inputs, *names)) if data.split.deduplicate else (samples, [])
    sequence = _sequence(samples, names) if target_kind == "tokens" else ()
    targets = {n: samples.columns[n] for n in names}
    target = encode_target(list(targets.values()), names, target_kind) if names and not sequence else EncodedTarget()
    rows = target.exclude_classes(data.split.holdout_classes, split_rows(samples, data.split, target.strata))
    target.check_classes(rows, data.split.holdout_classes)
    columns = {n: samples.columns[n] for n in inputs}
    texts = train_tokenizers(_texts(columns, {n: targets[n] for n in sequence}, rows["train"]), data, base, specials)
    encoded = encode_inputs(columns, rows["train"], texts)
    if target.classes and target.fields["target"].axes == "T":
        target = align_to_tokens(target, {n: encoded.arrays[n] for n in texts}, data.max_length)
    for name in sequence:
        target = encode_text_target(samples.columns[name], texts["target"], name)
    arrays = {**encoded.arrays, **target.arrays}
    files = data.source.files(base)
    leaks = find_leaks(columns, targets, rows) if files and samples.time is None else []
    facts = replace(
        _facts(encoded, target, texts, rows, samples),
        multilabel=target_kind == "labels" or target.multilabel,
        fingerprint=_fingerprint(arrays, rows, files),
        warnings=(*samples.warnings, *repeated, *encoded.warnings, *target.class_warnings(rows["train"]), *leaks),
    )
    extras = {**samples.columns, **samples.left_out}
    return Prepared(facts, arrays, rows, samples.problems, samples.identity, extras, samples.time)


def _collapse_repeats(samples: Samples, names: Sequence[str]) -> tuple[Samples, list[str]]:
    """Return the samples without those that are equal to an earlier one, and how many these were."""
    keys = row_keys({n: samples.columns[n] for n in dict.fromkeys(names)}) if samples.time is None else None
    if keys is None:
        raise DataError("data.split.deduplicate: samples of a series, or that stay on disk, are not compared")
    _, first = np.unique(keys, return_index=True)
    repeated = len(keys) - len(first)
    notes = [f"{repeated:,} samples are equal to earlier ones and left out"] if repeated else []
    return take_rows(samples, np.sort(first)), notes


def _facts(
    encoded: EncodedInputs,
    target: EncodedTarget,
    texts: Mapping[str, TextEncoder],
    rows: Mapping[str, np.ndarray],
    samples: Samples,
) -> DataFacts:
    train, season = rows["train"], samples.season
    return DataFacts(
        fields={**encoded.fields, **target.specs(train, season, encoded.arrays.get("history"))},
        inputs=tuple(encoded.fields),
        target="target" if target.fields else None,
        classes=target.classes,
        categories=encoded.categories,
        tokenizers={name: text.stored for name, text in texts.items()},
        lengths={**encoded.lengths, **_target_lengths(target, train)},
        class_counts=target.class_counts(train),
        counts={split: len(index) for split, index in rows.items()},
        season=season,
        ordered=samples.time is not None,
        ignored=target.has_ignored,
        missing=missing_numbers(encoded.arrays, rows),
        inferred=tuple(samples.inferred),
    )


def _prepare_blocks(
    samples: Samples, how: TextBlocks, data: Data, base: Path, asked: tuple[str | None, Sequence[str]]
) -> Prepared:
    """Prepare running text: blocks of tokens, with what the task asks for (target_kind, specials)."""
    if data.special_tokens:
        raise DataError(
            "data.special_tokens: running text is cut into blocks, which neither begin nor end where texts do"
        )
    target_kind, specials = asked
    (name,) = samples.inputs
    whole = list(samples.columns[name].values)
    documents = split_documents(samples, whole, data.split)
    text = train_tokenizers({"tokens": documents["train"]}, data, base, specials)["tokens"]
    arrays, rows = running_text_fields(documents, text, how, target_kind, ends=len(whole) > 1)
    facts = DataFacts(
        fields={field: text.spec((spans.length,)) for field, spans in arrays.items()},
        inputs=("tokens",),
        target="target" if "target" in arrays else None,
        tokenizers=dict.fromkeys(arrays, text.stored),
        ordered=True,
        counts={split: len(index) for split, index in rows.items()},
        fingerprint=_fingerprint(arrays, rows, data.source.files(base)),
        inferred=tuple(samples.inferred),
        warnings=tuple(samples.warnings),
    )
    return Prepared(facts, arrays, rows, samples.problems)


def _sequence(samples: Samples, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the one field of text that is to be predicted."""
    kinds = [samples.columns[n].kind for n in names]
    if kinds != ["text"]:
        raise DataError(f"data.target: the task predicts one text, but {', '.join(names)} is {' and '.join(kinds)}")
    return names


def _texts(
    inputs: Mapping[str, Column], target: Mapping[str, Column], train: np.ndarray
) -> dict[str, Sequence[str | None]]:
    """Return the texts of the train split of every field that has some, the target's under its own name."""
    read = {n: c for n, c in inputs.items() if c.kind == "text"}
    target_text = dict(zip(["target"], target.values(), strict=False))
    return {n: c.values[train] for n, c in {**read, **target_text}.items()}


def _target_lengths(target: EncodedTarget, train: np.ndarray) -> dict[str, Lengths]:
    """Return how long the sequences to predict are, where their lengths vary."""
    spans = {n: a for n, a in target.arrays.items() if isinstance(a, Spans) and a.length is None}
    return {n: lengths_of(a, train) for n, a in spans.items()}


def _load(data: Data, base: Path) -> Samples:
    samples = data.source.load(base, data.on_error)
    if not count_rows(samples):
        raise DataError(f"{data.source.type}: there are no samples")
    _check_skipped(samples, data)
    return samples


def _check_skipped(samples: Samples, data: Data) -> None:
    """Raise DataError if more samples were left out than the recipe allows."""
    total = count_rows(samples) + len(samples.problems)
    if len(samples.problems) > data.max_skipped * total:
        listed = "\n".join(f"  {p}" for p in samples.problems[:20])
        raise DataError(
            f"{len(samples.problems)} of {total} samples are bad, more than data.max_skipped allows:\n{listed}"
        )


def _choose_inputs(data: Data, samples: Samples) -> tuple[str, ...]:
    if data.inputs is None:
        targets = [samples.target] if data.target is None else _names(data.target)
        extra = (data.split.column, data.split.group)
        names = tuple(n for n in samples.inputs if n not in targets and n not in extra)
    else:
        names = tuple(_check_field(n, samples, "inputs") for n in data.inputs)
    for name in names:
        _check_name(name, samples.columns)
    return names


def _check_name(name: str, columns: Mapping[str, Column]) -> None:
    """Raise DataError if a field that stands by itself in a batch has the name of one of dlx's own."""
    column = columns[name]
    if column.axes == "" and column.kind in ("numeric", "categorical"):
        return  # one of the columns of a table
    if name in RESERVED or name.endswith(MASK):
        raise DataError(f"the field '{name}' has the name of one that dlx makes itself: rename it in the data")


def _choose_target(data: Data, samples: Samples) -> tuple[str, ...]:
    if data.target is not None:
        return tuple(_check_field(n, samples, "target") for n in _names(data.target))
    if samples.target is None:
        raise DataError(f"data.target: which field is to be predicted? There are {', '.join(samples.columns)}")
    return (samples.target,)


def _names(target: str | list[str] | None) -> list[str]:
    return [] if target is None else [target] if isinstance(target, str) else target


def _check_field(name: str, samples: Samples, what: str) -> str:
    if name not in samples.columns:
        raise DataError(f"data.{what}: there is no field '{name}'; there are {', '.join(samples.columns)}")
    return name


def _drop_missing_targets(samples: Samples, names: tuple[str, ...], on_error: str) -> Samples:
    """Leave out the rows that have no target, or refuse them."""
    missing = lacks_any(samples, names)
    if not missing.any():
        return samples
    rows = np.flatnonzero(missing)
    problems = [f"row {row + 1}: the target {', '.join(names)} is missing" for row in rows]
    if on_error == "raise":
        listed = "\n".join(f"  {p}" for p in problems[:20])
        raise DataError(f"{len(rows)} rows have no target (set data.on_error: skip to leave them out):\n{listed}")
    return replace(take_rows(samples, ~missing), problems=samples.problems + problems)


def _fingerprint(arrays: Mapping[str, Any], rows: Mapping[str, np.ndarray], files: list[Path]) -> str:
    """Return SHA-256 over the content of the arrays (of the files, where samples stay on disk) and the split."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        if isinstance(arrays[name], LazySamples):
            for file in files:
                digest.update(hashlib.sha256(file.read_bytes()).digest())
        elif isinstance(arrays[name], Spans):
            spans = arrays[name]
            for part in (spans.values, spans.starts, spans.lengths):
                digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(np.ascontiguousarray(arrays[name]).data)
    for split in sorted(rows):
        digest.update(split.encode() + rows[split].tobytes())
    return digest.hexdigest()
