"""Texts, tokens, and models that read them, for tests."""

import tokenizers as library
import torch

from dlx.models import Model
from dlx.tensors import TensorSpec
from dlx.tokenizers import Tokenizer

TRAIN = [
    "the cat sat on the mat, and the dog sat by the door.",
    "a cat and a dog: two animals; the cat is small, the dog is not.",
    "Where is the cat? The cat's on the mat!",
] * 3


def tokens(length, words):
    return TensorSpec((length,), "T", "int64", (words,))


def pair(words, source=7, target=5):
    return {"source": tokens(source, words), "target": tokens(target, words)}


SMALL = {"features": 16, "num_layers": 2, "num_heads": 2}
DECODERS = {
    "gpt": ({"type": "gpt", **SMALL}, tokens(6, 11)),
    "llama": (
        {"type": "gpt", **SMALL, "position_embedding": "rope", "num_kv_heads": 1, "sliding_window": 3},
        tokens(6, 11),
    ),
    "alibi": ({"type": "gpt", **SMALL, "position_embedding": "alibi"}, tokens(6, 11)),
    "transformer": ({"type": "transformer", **SMALL}, pair(11, target=6)),
    "untied": (
        {"type": "transformer", **SMALL, "tie_word_embeddings": False, "norm_first": True},
        pair(11, target=6),
    ),
    "t5": ({"type": "t5", **SMALL, "head_dim": 4, "hidden": 24}, pair(11, target=6)),
}
"""Small models that decode, and what they read."""


def decoder_inputs(x, target):
    return target if isinstance(x, TensorSpec) else {"source": random_tokens(7, 11), "target": target}


def build_model(spelling, x, family=Model):
    torch.manual_seed(0)
    tree = family.model_validate(spelling)
    return (tree.tree(x) if family is Model else tree).build(x).eval()


def random_tokens(length, words, batch=2):
    return torch.randint(words, (batch, length), generator=torch.Generator().manual_seed(2))


def make_tokenizer(value):
    return Tokenizer.model_validate(value)


def write_pretrained(folder):
    """Write a tokenizer that was trained elsewhere, with special tokens of its own, into `tokenizer.json`."""
    own = library.Tokenizer(library.models.WordPiece(unk_token="[UNK]"))
    own.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    own.decoder = library.decoders.WordPiece()
    trainer = library.trainers.WordPieceTrainer(
        vocab_size=80, special_tokens=["[CLS]", "[UNK]", "[PAD]"], show_progress=False
    )
    own.train_from_iterator(TRAIN, trainer)
    own.enable_truncation(3)
    own.save(str(folder / "tokenizer.json"))
