"""Patches that were taken out of images. B batch, T patches, S seen ones, P pixels of a patch, D decoder's features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.context import apply
from dlx.nn.images import as_picture
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._ssl.module import ProbedModule
from dlx.tasks._unsupervised.module import span
from dlx.tasks.masked_image._roles import DECODER, EMBED, ENCODER

if TYPE_CHECKING:
    from dlx.tasks.masked_image import MaskedImage

SHEET = 8  # images on a sheet of reconstructions
LEAST = 1e-6  # variance that a patch of one color is taken to have


def patches(x_BCHW: Tensor, side: int) -> Tensor:
    """Return the patches (B, T, P) of images, row by row."""
    cells: Tensor = x_BCHW.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # type: ignore[no-untyped-call]
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def joined(patches_BTP: Tensor, side: int, like_BCHW: Tensor) -> Tensor:
    """Return the images whose patches these are."""
    _, channels, high, wide = like_BCHW.shape
    cells: Tensor = patches_BTP.unflatten(2, (channels, side, side)).unflatten(1, (high // side, wide // side))
    return cells.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def split(draws_BT: Tensor, hidden: int) -> tuple[Tensor, Tensor]:
    """Return the numbers of the patches that are seen (B, S), and which are hidden, (B, T) bool."""
    visible_BS = draws_BT.argsort(dim=1, stable=True)[:, hidden:]
    return visible_BS, torch.ones_like(draws_BT, dtype=torch.bool).scatter(1, visible_BS, False)


class MaskedImageModule(ProbedModule):
    """An encoder of the patches that are seen, and a decoder of all."""

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MaskedImage
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.side, self.normalize = task.patch_size, task.norm_pix_loss
        self.count, self.hidden = task.patches(facts), task.hidden(facts)

    def given_back(self, x_BCHW: Tensor, visible_BS: Tensor) -> Tensor:
        """Return what the networks make of every patch (B, T, P)."""
        encoder: Any = self.networks[ENCODER]
        context = {"visible": visible_BS}
        seen_BSD = self.head[EMBED](apply(encoder.body, x_BCHW, context))
        given_BTP: Tensor = apply(self.networks[DECODER], seen_BSD, context)
        return given_BTP

    def wanted(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the patches (B, T, P) to be given back, and the mean and deviation (B, T, 1) that were taken out."""
        patches_BTP = patches(x_BCHW, self.side)
        if not self.normalize:
            return patches_BTP, torch.zeros_like(patches_BTP[..., :1]), torch.ones_like(patches_BTP[..., :1])
        mean_BT1 = patches_BTP.mean(2, keepdim=True)
        deviation_BT1 = (patches_BTP.var(2, keepdim=True, correction=0) + LEAST).sqrt()
        return (patches_BTP - mean_BT1) / deviation_BT1, mean_BT1, deviation_BT1

    def asked(self, x_BCHW: Tensor, draws_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return each image's error over its hidden patches (B,), what was given back, and which were hidden."""
        visible_BS, hidden_BT = split(draws_BT, self.hidden)
        given_BTP = self.given_back(x_BCHW, visible_BS)
        error_BT = (given_BTP.float() - self.wanted(x_BCHW)[0]).square().mean(2)
        return (error_BT * hidden_BT).sum(1) / self.hidden, given_BTP, hidden_BT

    def loss_of(self, batch: Batch) -> Tensor:
        x_BCHW = self.input_of(batch)
        error_B, *_ = self.asked(x_BCHW, torch.rand(len(x_BCHW), self.count, device=x_BCHW.device))
        return error_B.mean()

    def judged(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x_BCHW = self.input_of(batch)
        error_B, given_BTP, hidden_BT = self.asked(x_BCHW, self.noise(index_B, (self.count,)))
        if self.trainer.testing and "sheet" not in self.outputs.made:
            self._keep_sheet(x_BCHW[:SHEET], given_BTP[:SHEET].float(), hidden_BT[:SHEET, :, None])
        return {"loss": error_B}

    def _keep_sheet(self, x_BCHW: Tensor, given_BTP: Tensor, hidden_BT1: Tensor) -> None:
        """Keep the first images, what was seen of them, and with what was given back in the place of hidden patches."""
        _, mean_BT1, deviation_BT1 = self.wanted(x_BCHW)
        whole_BTP = patches(x_BCHW, self.side)
        blank = torch.full_like(whole_BTP, sum(span(self.spec)) / 2)
        filled = [torch.where(hidden_BT1, put, whole_BTP) for put in (blank, given_BTP * deviation_BT1 + mean_BT1)]
        strips = [x_BCHW, *(joined(patches_BTP, self.side, x_BCHW) for patches_BTP in filled)]
        self.outputs.made["sheet"] = torch.stack([as_picture(strip, self.spec) for strip in strips]).numpy()
