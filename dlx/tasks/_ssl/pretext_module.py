"""How an image was changed. B batch, Q questions of a batch, G pieces of a question, D numbers drawn for an image, K
answers, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.images import as_picture
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._ssl.module import ProbedModule
from dlx.tasks._ssl.pretext_spec import ANSWER, Pretext
from dlx.tasks._unsupervised.module import span

SHEET = 8  # images on a sheet of questions


@dataclass(frozen=True)
class Asked:
    """As many questions about each image of a batch: their pieces (Q, G, C, H, W), and the true answers (Q,).

    The first question about every image comes first, then the second about every one, ….
    """

    pieces: Tensor
    truth: Tensor


class PretextModule(ProbedModule):
    """An encoder, and a head that says from the features of its pieces how an image was changed."""

    draws = 1
    """How many random numbers the questions about an image are made of."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Pretext) -> None:
        self.metric = f"{task.type}_accuracy"
        super().__init__(networks, facts, learning, task, each=("loss", self.metric))

    def ask(self, x_BCHW: Tensor, draws_BD: Tensor) -> Asked:
        """Return questions about images, made of random numbers from 0 to 1."""
        raise NotImplementedError

    def drawn(self, asked: Asked, said_Q: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures of questions about images, and of the images as they would be if what is said were true."""
        raise NotImplementedError

    def answered(self, asked: Asked) -> Tensor:
        """Return the scores of all answers (Q, K)."""
        head: Any = self.head[ANSWER]
        features_QGF = self.features(asked.pieces.flatten(0, 1)).unflatten(0, asked.pieces.shape[:2])
        scores_QK: Tensor = head.said(features_QGF.flatten(1))
        return scores_QK

    def loss_of(self, batch: Batch) -> Tensor:
        x_BCHW = self.input_of(batch)
        asked = self.ask(x_BCHW, torch.rand(len(x_BCHW), self.draws, device=x_BCHW.device))
        return F.cross_entropy(self.answered(asked), asked.truth)

    def judged(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x_BCHW = self.input_of(batch)
        asked = self.ask(x_BCHW, torch.special.ndtr(self.noise(index_B, (self.draws,))))
        scores_QK = self.answered(asked).float()
        said_Q = scores_QK.argmax(1)
        if self.trainer.testing and "sheet" not in self.outputs.made:
            self._keep_sheet(x_BCHW, asked, said_Q)
        loss_Q = F.cross_entropy(scores_QK, asked.truth, reduction="none")
        found = {"loss": loss_Q, self.metric: (said_Q == asked.truth).float()}
        return {name: value_Q.view(-1, len(x_BCHW)).mean(0) for name, value_Q in found.items()}

    def _keep_sheet(self, x_BCHW: Tensor, asked: Asked, said_Q: Tensor) -> None:
        """Keep one question about each of the first images, the next one from image to image."""
        images, several = len(x_BCHW), len(said_Q) // len(x_BCHW)
        image_N = torch.arange(min(images, SHEET), device=x_BCHW.device)
        chosen_N = image_N + images * (image_N % several)
        some = Asked(asked.pieces[chosen_N], asked.truth[chosen_N])
        strips = [x_BCHW[image_N], *self.drawn(some, said_Q[chosen_N], x_BCHW[image_N])]
        self.outputs.made["sheet"] = torch.stack([as_picture(strip, self.spec) for strip in strips]).numpy()


class TilesModule(PretextModule):
    """Questions about tiles of images."""

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: Any) -> None:
        super().__init__(networks, facts, learning, task)
        self.grid: int = task.grid
        self.gap: int = task.gap
        self.draws = 2 * self.grid**2 + 1

    def cut(self, x_BCHW: Tensor, draws_BD: Tensor) -> Tensor:
        """Return the tiles (B, grid², C, h, w) of images, row by row, each where two numbers put it in its cell."""
        return tiles(x_BCHW, self.grid, self.gap, draws_BD[:, : 2 * self.grid**2])

    def laid(self, tiles_BGCHW: Tensor, places_BG: Tensor, like_BCHW: Tensor) -> Tensor:
        """Return pictures of tiles at places of the grid."""
        return laid_out(tiles_BGCHW, places_BG, torch.full_like(like_BCHW, span(self.spec)[1]), self.grid)


def tiles(x_BCHW: Tensor, grid: int, gap: int, draws_BD: Tensor) -> Tensor:
    """Return the tiles (B, grid², C, h, w) of images, row by row, each where two random numbers put it in its cell."""
    high, wide = (side // grid for side in x_BCHW.shape[2:])
    shift_BG2 = (draws_BD.reshape(len(x_BCHW), grid**2, 2) * (gap + 1)).long().clamp(max=gap)
    cell_G = torch.arange(grid**2, device=x_BCHW.device)
    top_BG = cell_G // grid * high + shift_BG2[..., 0]
    left_BG = cell_G % grid * wide + shift_BG2[..., 1]
    rows_BGH = top_BG[..., None] + torch.arange(high - gap, device=x_BCHW.device)
    columns_BGW = left_BG[..., None] + torch.arange(wide - gap, device=x_BCHW.device)
    image_B = torch.arange(len(x_BCHW), device=x_BCHW.device).view(-1, 1, 1, 1)
    found_BGHWC = x_BCHW.movedim(1, -1)[image_B, rows_BGH[..., :, None], columns_BGW[..., None, :]]
    return found_BGHWC.movedim(-1, 2)


def laid_out(tiles_BGCHW: Tensor, places_BG: Tensor, empty_BCHW: Tensor, grid: int) -> Tensor:
    """Return empty images with tiles in the middle of the cells whose numbers are their places."""
    picture_BCHW = empty_BCHW.clone()
    high, wide = tiles_BGCHW.shape[3:]
    cell_high, cell_wide = (side // grid for side in picture_BCHW.shape[2:])
    for image, (tiles_GCHW, places_G) in enumerate(zip(tiles_BGCHW, places_BG.tolist(), strict=True)):
        for tile_CHW, place in zip(tiles_GCHW, places_G, strict=True):
            top = place // grid * cell_high + (cell_high - high) // 2
            left = place % grid * cell_wide + (cell_wide - wide) // 2
            picture_BCHW[image, :, top : top + high, left : left + wide] = tile_CHW
    return picture_BCHW
