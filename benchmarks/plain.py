"""Networks as a person writes them in plain PyTorch, to hold dlx's against.

Their modules are defined in the order in which dlx has them, so that weights can be copied one after the other.
B batch, T tokens, F features, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence


class SelfAttention(nn.Module):
    """Multi-head attention with one matrix for queries, keys and values."""

    def __init__(self, features: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.out = nn.Linear(features, features)
        self.qkv = nn.Linear(features, 3 * features)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, F)."""
        b, t, f = x.shape
        q, k, v = (part.view(b, t, self.heads, f // self.heads).transpose(1, 2) for part in self.qkv(x).split(f, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).contiguous().view(b, t, f))


class Block(nn.Module):
    """Attention and a feed-forward map, each normalized before and added after."""

    def __init__(self, features: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(features)
        self.attention = SelfAttention(features, heads, causal)
        self.norm2 = nn.LayerNorm(features)
        self.up = nn.Linear(features, 4 * features)
        self.down = nn.Linear(4 * features, features)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, F)."""
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """A small GPT-2 without dropout."""

    def __init__(self, vocabulary: int, length: int, features: int, num_layers: int, num_heads: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, features)
        self.places = nn.Embedding(length, features)
        self.blocks = nn.ModuleList([Block(features, num_heads, causal=True) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(features)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, vocabulary) scores of the next token."""
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.words.weight)


class TextLSTM(nn.Module):
    """An LSTM that reads padded sentences and judges them by its last state."""

    def __init__(self, vocabulary: int, embedding: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, embedding)
        self.cells = nn.LSTM(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, classes) scores."""
        packed = pack_padded_sequence(self.words(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.cells(packed)
        return self.head(h[-1])


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions with batch norm, and a shortcut past them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps."""
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        return self.relu(y + self.shortcut(x))


class ResNet18(nn.Module):
    """The residual network of 18 layers for photos."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks, inputs = [], 64
        for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1)]
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, classes) scores."""
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))
