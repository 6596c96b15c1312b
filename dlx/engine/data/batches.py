"""Batches of a split: samples gathered by index, collated, augmented and transformed as a whole, as a data loader does.

Which samples come in which order is a pure function: `permutation(seed, epoch, n)`, or `bucket_by_length` where lengths
vary; how a batch is augmented follows from (seed, epoch, batch). No state is kept between batches, so that training can
resume anywhere.

Sequences are padded to the longest of their batch. Beside a field in which lengths differ stands its attention mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlx.augmentations import Augmentation
from dlx.engine.data.classes import batch_by_class
from dlx.engine.data.lengths import bucket_by_length, chunk_rows
from dlx.engine.data.padding import Sequences, array_to_device
from dlx.engine.data.workers import iterate_workers
from dlx.facts import DataFacts
from dlx.nn.protocols import Batch
from dlx.sources import LazySamples, Spans
from dlx.tasks import MASK, WEIGHT
from dlx.tensors import TensorSpec
from dlx.transforms import Transform

BatchTransform = Callable[[Batch], Batch]


def permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    """Return the order of n samples in an epoch."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(n)


def shard(n: int, rank: int, num_replicas: int) -> tuple[slice, float]:
    """Return which of a batch's n samples one of several data-parallel processes takes, and the weight of each.

    The mean over processes of weighted sums is the batch's mean. Where there are too few for two samples each (one has
    no statistics), a process takes some that another has, with weight 0: it takes part in every step.
    """
    taking = min(num_replicas, max(1, n // 2))
    if rank >= taking:
        return slice(0, min(n, 2)), 0.0
    return slice(n * rank // taking, n * (rank + 1) // taking), num_replicas / n


@dataclass
class Batches:
    """The batches of one split, over which Lightning iterates as over a data loader.

    fields             encoded samples by name, all rows
    rows               which rows belong to the split
    size               samples in a batch; the last may be smaller, but never a single sample in training
    shuffle            whether every epoch has an order of its own
    transforms         what is done to a batch, in order
    random             whether a transform draws random numbers
    num_workers        processes that decode samples which are not in memory
    samples_per_class  samples of a class in a shuffled batch; None where that is left to chance
    rank, num_replicas  number of this process and how many there are: each takes its part of every batch in training,
                       and of the whole split otherwise
    """

    fields: Mapping[str, Any]
    rows: np.ndarray
    size: int
    seed: int
    shuffle: bool = False
    transforms: Sequence[BatchTransform] = ()
    random: bool = False
    num_workers: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    epoch: int = 0
    rank: int = 0
    num_replicas: int = 1
    samples_per_class: int | None = None

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.batch_rows())

    def batch_rows(self) -> list[np.ndarray]:
        """Return the row numbers of every batch of this epoch."""
        if not self.shuffle:
            return chunk_rows(self.rows[self.rank :: self.num_replicas], self.size)
        lengths = self._lengths()
        if lengths is None or self.samples_per_class:
            batches = chunk_rows(self.rows[permutation(self.seed, self.epoch, len(self.rows))], self.size)
        else:
            batches = [self.rows[at] for at in bucket_by_length(lengths, self.size, self.seed, self.epoch)]
        if self.size > 1 and len(batches) > 1:
            batches = [rows for rows in batches if len(rows) > 1]  # a single sample has no batch statistics
        if self.samples_per_class:
            classes = self.fields["target"].cpu().numpy()[self.rows]
            each = self.samples_per_class
            places = batch_by_class(classes, len(batches), self.size, each, self.seed, self.epoch)
            batches = [self.rows[at] for at in places]
        return batches

    def _lengths(self) -> np.ndarray | None:
        """Return how long the samples are, all their sequences together; None where all are equally long."""
        varying = [v.spans.lengths[self.rows] for v in self.fields.values() if isinstance(v, Sequences) and v.is_ragged]
        return np.sum(varying, axis=0) if varying else None

    def __iter__(self) -> Iterator[Batch]:
        return self.iterate_from(0)

    def iterate_from(self, first: int) -> Iterator[Batch]:
        """Yield this epoch's batches from one of them on: the same as if those before had been taken."""
        chosen = self.batch_rows()[first:]
        if self.shuffle and self.num_replicas > 1:
            yield from self._shards(chosen, first)
            return
        for number, batch in enumerate(self._gather(chosen), first):
            yield self._transform_seeded(batch, number) if self.random else self._transform(batch)

    def _shards(self, chosen: list[np.ndarray], first: int) -> Iterator[Batch]:
        """Yield this process's part of every batch, each sample with its weight in the batch's mean loss.

        What is random is drawn for the whole batch, so that it is the same for any number of processes.
        """
        parts = [shard(len(rows), self.rank, self.num_replicas) for rows in chosen]
        wanted = chosen if self.random else [rows[part] for rows, (part, _) in zip(chosen, parts, strict=True)]
        for number, (batch, (part, weight)) in enumerate(zip(self._gather(wanted), parts, strict=True), first):
            if self.random:
                batch = {name: v[part] for name, v in self._transform_seeded(batch, number).items()}
            else:
                batch = self._transform(batch)
            batch[WEIGHT] = torch.full((len(batch["rows"]),), weight, device=batch["rows"].device)
            yield batch

    def _transform(self, batch: Batch) -> Batch:
        for transform in self.transforms:
            batch = transform(batch)
        return batch

    def _transform_seeded(self, batch: Batch, number: int) -> Batch:
        """Transform with torch's generator seeded for this very batch, and leave the generator as it was."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(int(np.random.SeedSequence([self.seed, self.epoch, number]).generate_state(1)[0]))
            return self._transform(batch)

    def _gather(self, chosen: list[np.ndarray]) -> Iterator[Batch]:
        lazy = {name: v for name, v in self.fields.items() if isinstance(v, LazySamples)}
        decoded = self._decode(lazy, chosen) if lazy else repeat({})
        for rows, images in zip(chosen, decoded, strict=False):
            yield {**self._take(rows), **images}

    def _take(self, rows: np.ndarray) -> Batch:
        """Take these rows of every field in memory."""
        index = torch.from_numpy(rows).to(self.device)
        batch = {"rows": index}
        for name, values in self.fields.items():
            if isinstance(values, Sequences):
                batch[name], mask_BT = values.pad(rows)
                batch |= {} if mask_BT is None else {name + MASK: mask_BT}
            elif not isinstance(values, LazySamples):
                batch[name] = values.index_select(0, index)
        return batch

    def _decode(self, fields: Mapping[str, LazySamples], chosen: list[np.ndarray]) -> Iterator[Batch]:
        """Decode samples that stay on disk, in worker processes."""
        from torch.utils.data import DataLoader

        loader = DataLoader(
            _Decoder(fields),
            batch_sampler=[c.tolist() for c in chosen],
            num_workers=self.num_workers,
            generator=torch.Generator(),  # of its own: it would draw from the one that training draws from
        )
        for batch in iterate_workers(loader):
            yield {name: v.to(self.device, non_blocking=True) for name, v in batch.items()}


class _Decoder(torch.utils.data.Dataset[Batch]):
    """Fetches the fields of one sample."""

    def __init__(self, fields: Mapping[str, LazySamples]) -> None:
        self.fields = fields

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Return a sample's arrays, as copies: one that lies in a cache that is mapped into memory is read-only."""
        return {name: np.array(v[row]) for name, v in self.fields.items()}


def move_to_device(arrays: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Return arrays as tensors on a device; samples that are decoded lazily stay as they are."""
    return {name: _move_to_device(array, device) for name, array in arrays.items()}


def _move_to_device(array: Any, device: torch.device) -> Any:
    if isinstance(array, Spans):
        return Sequences.to_device(array, device)
    return array if isinstance(array, LazySamples) else array_to_device(array, device)


def bytes_to_floats(facts: DataFacts) -> BatchTransform:
    """Return the transform that turns byte images into floats in the same units."""
    names = [n for n in facts.inputs if facts.fields[n].dtype == "uint8"]

    def transform(batch: Batch) -> Batch:
        for name in names:
            batch[name] = batch[name].float()
        return batch

    return transform


def build_transforms(transforms: Sequence[Transform], facts: DataFacts) -> list[BatchTransform]:
    """Return the batch transforms of a recipe's transforms, one for each."""
    specs, built = dict(facts.fields), []
    for transform in transforms:
        name = transform.field or facts.inputs[0]
        built.append(_apply_to_field(name, transform.build(specs[name])))
        specs[name] = transform.spec(specs[name])
    return built


def _apply_to_field(name: str, function: Callable[[Tensor], Tensor]) -> BatchTransform:
    def transform(batch: Batch) -> Batch:
        batch[name] = function(batch[name])
        return batch

    return transform


def build_augmentation(
    augmentations: Sequence[Augmentation], facts: DataFacts, base: Path = Path()
) -> BatchTransform | None:
    """Return the data augmentation of the first input as a batch transform, or None if there is none.

    Images are scaled to [0, 1] for it and back again; tokens that are left after it are real.
    """
    if not augmentations:
        return None
    name = facts.inputs[0]
    spec = facts.fields[name]
    seen = spec if spec.vocab else spec.replace(dtype="float32")
    peak = _peak_value(spec)
    functions = [a.fit(facts, base).build(seen, len(facts.classes)) for a in augmentations]

    def transform(batch: Batch) -> Batch:
        x, target = batch[name] if seen.vocab else batch[name] / peak, batch.get("target")
        for function in functions:
            x, target = function(x, target)
        if seen.vocab:
            batch |= {name: x, name + MASK: x != 0}
        else:
            batch[name] = x * peak
        if target is not None:
            batch["target"] = target
        return batch

    return transform


def _peak_value(spec: TensorSpec) -> float:
    is_image = spec.axes in ("CHW", "CDHW")
    return max(spec.stats.high) or 1.0 if is_image and spec.stats is not None else 1.0
