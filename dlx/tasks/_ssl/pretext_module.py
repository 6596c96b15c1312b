"""Pretext tasks: labels that are made of the image itself.

B batch, Q examples of a batch, G pieces of an example, D random numbers of an image, K labels, F features
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dlx.nn.images import to_image
from dlx.nn.protocols import Batch
from dlx.tasks._ssl.linear_probe import ProbedEncoder
from dlx.tasks._ssl.pretext_spec import HEAD
from dlx.tasks._ssl.tiles import cut_tiles, place_tiles
from dlx.tasks._unsupervised.module import UnsupervisedModule, value_range

if TYPE_CHECKING:
    from dlx.tasks._ssl.pretext_spec import Pretext, TilePretext

SHEET = 8  # images on a sheet of examples
DRAWS = "draws"
"""Field of a batch: the random numbers (B, D) that the examples of an image are made of."""


@dataclass(frozen=True)
class PretextExamples:
    """As many examples of each image of a batch: their pieces (Q, G, C, H, W), and the true labels (Q,).

    The first example of every image comes first, then the second of every one, ….
    """

    pieces: Tensor
    labels: Tensor


class PretextModule(ProbedEncoder, UnsupervisedModule):
    """An encoder, and a head that predicts from the features of its pieces how an image was changed."""

    task: Pretext

    def sample_metrics(self) -> Sequence[str]:
        return ("loss", f"{self.task.type}_accuracy")

    @property
    def num_draws(self) -> int:
        """How many random numbers the examples of an image are made of."""
        return 1

    def examples(self, x_BCHW: Tensor, draws_BD: Tensor) -> PretextExamples:
        """Return examples of images, made of random numbers from 0 to 1."""
        raise NotImplementedError

    def visualize(self, examples: PretextExamples, predicted_Q: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures of examples, and of the images as they would be if the predictions were true."""
        raise NotImplementedError

    def logits(self, examples: PretextExamples) -> Tensor:
        """Return the logits of all labels (Q, K)."""
        head: Any = self.encoder.heads[HEAD]
        features_QGF = self.encoder(examples.pieces.flatten(0, 1)).unflatten(0, examples.pieces.shape[:2])
        logits_QK: Tensor = head.classifier(features_QGF.flatten(1))
        return logits_QK

    def prepare_step(self, batch: Batch) -> Batch:
        x_BCHW = self.input_of(batch)
        return {**batch, DRAWS: torch.rand(len(x_BCHW), self.num_draws, device=x_BCHW.device)}

    def loss(self, batch: Batch) -> Tensor:
        examples = self.examples(self.input_of(batch), batch[DRAWS])
        return F.cross_entropy(self.logits(examples), examples.labels)

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x_BCHW = self.input_of(batch)
        examples = self.examples(x_BCHW, torch.special.ndtr(self.noise(index_B, (self.num_draws,))))
        logits_QK = self.logits(examples).float()
        predicted_Q = logits_QK.argmax(1)
        if self.trainer.testing and "examples" not in self.outputs.extras:
            self._collect_examples(x_BCHW, examples, predicted_Q)
        loss_Q = F.cross_entropy(logits_QK, examples.labels, reduction="none")
        found = {"loss": loss_Q, f"{self.task.type}_accuracy": (predicted_Q == examples.labels).float()}
        return {name: value_Q.view(-1, len(x_BCHW)).mean(0) for name, value_Q in found.items()}

    def _collect_examples(self, x_BCHW: Tensor, examples: PretextExamples, predicted_Q: Tensor) -> None:
        """Collect one example of each of the first images, the next one from image to image."""
        images, several = len(x_BCHW), len(predicted_Q) // len(x_BCHW)
        image_N = torch.arange(min(images, SHEET), device=x_BCHW.device)
        chosen_N = image_N + images * (image_N % several)
        some = PretextExamples(examples.pieces[chosen_N], examples.labels[chosen_N])
        rows = [x_BCHW[image_N], *self.visualize(some, predicted_Q[chosen_N], x_BCHW[image_N])]
        self.outputs.extras["examples"] = torch.stack([to_image(row, self.spec) for row in rows]).numpy()


class TilesModule(PretextModule):
    """Examples are tiles of images."""

    task: TilePretext

    @property
    def num_draws(self) -> int:
        return 2 * self.task.grid**2 + 1

    def cut(self, x_BCHW: Tensor, draws_BD: Tensor) -> Tensor:
        """Return the tiles (B, grid², C, h, w) of images, row by row, each where two numbers put it in its cell."""
        return cut_tiles(x_BCHW, self.task.grid, self.task.gap, draws_BD[:, : 2 * self.task.grid**2])

    def place(self, tiles_BGCHW: Tensor, places_BG: Tensor, like_BCHW: Tensor) -> Tensor:
        """Return pictures of tiles at places of the grid."""
        empty_BCHW = torch.full_like(like_BCHW, value_range(self.spec)[1])
        return place_tiles(tiles_BGCHW, places_BG, empty_BCHW, self.task.grid)
