"""Tokens, and models that read them, for tests."""

import torch

from dlx.models import Model
from dlx.tensors import TensorSpec


def tokens(length, words):
    return TensorSpec((length,), "T", "int64", (words,))


def pair(words, source=7, target=5):
    return {"source": tokens(source, words), "target": tokens(target, words)}


def build_model(spelling, x, family=Model):
    torch.manual_seed(0)
    tree = family.model_validate(spelling)
    return (tree.tree(x) if family is Model else tree).build(x).eval()


def random_tokens(length, words, batch=2):
    return torch.randint(words, (batch, length), generator=torch.Generator().manual_seed(2))
