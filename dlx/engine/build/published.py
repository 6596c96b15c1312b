"""Published weights: a network is initialized from a safetensors file, whatever library named its tensors."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from dlx.engine.build.weights import SHOWN, describe_shape, misfit_error
from dlx.errors import DataError
from dlx.facts import DataFacts
from dlx.name_maps import NameMap
from dlx.recipe.schema.transfer import InitFrom
from dlx.tokenizers import MASKED, SPECIAL, Codec, restore
from dlx.weight_files import find_weight_files

log = logging.getLogger(__name__)

EQUIVALENT_TOKENS = {
    SPECIAL[0]: ("[PAD]", "<pad>"),
    SPECIAL[1]: ("[UNK]", "<unk>"),
    SPECIAL[2]: ("[CLS]", "<s>", "<|endoftext|>", "<pad>"),
    SPECIAL[3]: ("[SEP]", "</s>", "<|endoftext|>"),
    MASKED: ("[MASK]", "<mask>"),
}
"""Tokens of published vocabularies that stand where a special one of dlx does, the likeliest first."""


@dataclass(frozen=True)
class Match:
    """What a network takes of a file: weights by name, what does not fit, and the tensors that nothing takes."""

    weights: dict[str, Tensor]
    wrong: list[str]
    unused: list[str]


def load_published_weights(
    network: nn.Module, name_map: NameMap, init_from: InitFrom, base: Path, facts: DataFacts
) -> None:
    """Copy the weights of a published file into a network.

    Raises: UsageError that lists every weight that is not there or of another shape, and every tensor of the file that
    nothing takes; DataError if the file cannot be read.
    """
    path = init_from.file_path(base)
    match = match_published(network, name_map, read_tensors(path), init_from, facts)
    unknown = [] if init_from.only != ["*"] else [f"{name}: nothing here takes it" for name in match.unused]
    if match.wrong or unknown:
        raise misfit_error(str(path), [*match.wrong, *unknown])
    network.load_state_dict({**network.state_dict(), **match.weights})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of safetensors files, memory-mapped. Raises: DataError."""
    tensors: dict[str, Tensor] = {}
    for file in find_weight_files(path):
        try:
            with safe_open(file, framework="pt") as opened:
                tensors |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
        except (SafetensorError, OSError) as error:
            raise DataError(f"{file}: not whole, or no safetensors file: {error}") from None
    return tensors


def match_published(
    network: nn.Module, name_map: NameMap, tensors: Mapping[str, Tensor], init_from: InitFrom, facts: DataFacts
) -> Match:
    """Return which weights a network takes of the tensors of a file."""
    found = {name_map.without_prefix(name): tensor for name, tensor in tensors.items()}
    fit = _Fit(name_map, found, [restore(stored) for stored in facts.tokenizers.values()])
    weights: dict[str, Tensor] = {}
    wrong: list[str] = []
    expected: set[str] = set()
    for name, parameter in network.state_dict().items():
        sources = fit.sources(name)
        expected.update(sources)
        if not init_from.selects(name):
            continue
        absent = [source for source in sources if source not in found]
        if absent:
            wrong += [] if re.search(name_map.buffers, name) else [f"{name}: {absent[0]} is not in the file"]
            continue
        value = fit.assemble(sources, parameter)
        if value is None:
            there = ", ".join(f"{source} {describe_shape(found[source])}" for source in sources)
            wrong.append(f"{name}: {describe_shape(parameter)} here, {there} there")
        else:
            weights[name] = value
    unused = [name for name in found if name not in expected and not re.search(name_map.buffers, name)]
    heads = [name for name in unused if re.search(name_map.heads, name)]
    if heads:
        log.warning("init_from leaves out %s, for which this network has no layer", ", ".join(heads[:SHOWN]))
    return Match(weights, wrong, [name for name in unused if name not in heads])


@dataclass(frozen=True)
class _Fit:
    """How tensors of a file become a parameter."""

    name_map: NameMap
    found: Mapping[str, Tensor]
    codecs: Sequence[Codec]

    def sources(self, name: str) -> list[str]:
        """Return the tensors that a parameter is made of."""
        fallbacks = self.name_map.fallbacks
        wanted = self.name_map.published_names(name)
        return [w if w in self.found or w not in fallbacks else fallbacks[w] for w in wanted]

    def assemble(self, sources: Sequence[str], parameter: Tensor) -> Tensor | None:
        """Return the tensors as one of a parameter's shape; None if they do not have it."""
        value = torch.cat([self._laid_out(source) for source in sources]) if len(sources) > 1 else None
        value = self._laid_out(sources[0]) if value is None else value
        if _squeeze(value.shape) == _squeeze(parameter.shape):
            return value.reshape(parameter.shape)
        value = value.reshape(_squeeze(value.shape)) if value.ndim != parameter.ndim else value
        if value.shape[1:] != parameter.shape[1:]:
            return None
        if re.search(self.name_map.position_rows, sources[0]) and len(value) > len(parameter):
            log.warning("init_from takes the first %d of %d positions", len(parameter), len(value))
            return value[: len(parameter)]
        return self._with_special_rows(value, parameter) if self._has_token_rows(sources) else None

    def _has_token_rows(self, sources: Sequence[str]) -> bool:
        return re.search(self.name_map.token_rows, sources[0]) is not None

    def _laid_out(self, source: str) -> Tensor:
        """Return a tensor as (outputs, inputs, …)."""
        tensor = self.found[source]
        if not re.search(self.name_map.transposed, source):
            return tensor
        return tensor.reshape(_squeeze(tensor.shape)).T

    def _with_special_rows(self, rows: Tensor, parameter: Tensor) -> Tensor | None:
        """Return the rows of a vocabulary, behind those of the special tokens of dlx, in whose place others stand."""
        codec = next((codec for codec in self.codecs if len(codec.tokens) == len(parameter)), None)
        if codec is None:
            return None
        first, end = len(SPECIAL), len(codec.tokens) - len(codec.specials)
        published = {token: row for row, token in enumerate(codec.tokens[first:end])}
        if len(published) > len(rows):
            return None
        value = parameter.detach().clone()
        value[first:end] = rows[: end - first]
        for row in [*range(first), *range(end, len(codec.tokens))]:
            likely = EQUIVALENT_TOKENS.get(codec.tokens[row], ())
            place = next((published[token] for token in likely if token in published), None)
            if place is not None:
                value[row] = rows[place]
        return value


def _squeeze(shape: Iterable[int]) -> tuple[int, ...]:
    """Return a shape without axes of size one."""
    return tuple(size for size in shape if size != 1)
