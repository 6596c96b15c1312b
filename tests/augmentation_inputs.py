"""Batches and augmentations with probability 1, for tests."""

import tempfile
from pathlib import Path

import torch
from kit import example

from dlx.augmentations import Augmentation
from dlx.facts import DataFacts
from dlx.tensors import TensorSpec
from dlx.tokenizers import Tokenizer, store

CLASSES = 3


IMAGE = TensorSpec((3, 24, 20), "CHW")


WORDS = [f"word{i}" for i in range(16)]


TEXT = TensorSpec((None,), "T", "int64", vocab=(20,))


TARGET = torch.arange(12) % CLASSES


def augmentation(value):
    return Augmentation.model_validate(value)


def always(name, **fields):
    """Return a leaf's example with p = 1, fitted to words and their thesaurus where it needs them."""
    leaf = augmentation({**augmentation(example("augmentations", name)).model_dump(), "p": 1.0, **fields})
    word = Tokenizer.model_validate("word")
    stored = store(word, word.train([" ".join(WORDS)], Path()))
    facts = DataFacts({"text": TEXT}, ("text",), tokenizers={"text": stored})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "thesaurus.txt").write_text(", ".join(WORDS[:8]) + "\n" + ", ".join(WORDS[8:]))
        return leaf.fit(facts, Path(folder))


def images(batch=12, channels=3, height=24, width=20):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, channels, height, width, generator=generator)


def tokens(batch=12, longest=9):
    """Return ids of texts of 4 tokens and more, all different in a text, with padding."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.stack([torch.randperm(16, generator=generator)[:longest] + 4 for _ in range(batch)])
    length = torch.randint(4, longest + 1, (batch, 1), generator=generator)
    return ids.where(torch.arange(longest) < length, 0)


def seeded(function, batch, target, seed=0):
    torch.manual_seed(seed)
    return function(batch, target)
