"""Masked autoencoder: pixels of hidden patches. B batch, T patches, S visible ones, P pixels of a patch, D decoder's
features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlx.facts import DataFacts
from dlx.nn.context import apply
from dlx.nn.images import to_image
from dlx.nn.protocols import Batch
from dlx.tasks import Learning
from dlx.tasks._ssl.linear_probe import ProbedEncoder
from dlx.tasks._unsupervised.module import UnsupervisedModule, value_range
from dlx.tasks.masked_image._roles import DECODER, EMBED, ENCODER

if TYPE_CHECKING:
    from dlx.tasks.masked_image import MaskedImage

SHEET = 8  # images on a sheet of reconstructions
MIN_VARIANCE = 1e-6  # that a patch of one color is taken to have
DRAWS = "draws"
"""Field of a batch: random numbers (B, T), by which patches are hidden."""


def to_patches(x_BCHW: Tensor, size: int) -> Tensor:
    """Return the patches (B, T, P) of images, row by row."""
    cells: Tensor = x_BCHW.unflatten(3, (-1, size)).unflatten(2, (-1, size))  # type: ignore[no-untyped-call]
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def to_images(patches_BTP: Tensor, size: int, like_BCHW: Tensor) -> Tensor:
    """Return the images whose patches these are."""
    _, channels, height, width = like_BCHW.shape
    cells: Tensor = patches_BTP.unflatten(2, (channels, size, size)).unflatten(1, (height // size, width // size))
    return cells.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def choose_visible(draws_BT: Tensor, hidden: int) -> tuple[Tensor, Tensor]:
    """Return the indices of the visible patches (B, S), and which are hidden, (B, T) bool."""
    visible_BS = draws_BT.argsort(dim=1, stable=True)[:, hidden:]
    return visible_BS, torch.ones_like(draws_BT, dtype=torch.bool).scatter(1, visible_BS, False)


class MaskedImageModule(ProbedEncoder, UnsupervisedModule):
    """An encoder of visible patches, and a decoder of all."""

    task: MaskedImage

    def __init__(
        self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: MaskedImage
    ) -> None:
        super().__init__(networks, facts, learning, task)
        self.patches, self.hidden = task.num_patches(facts), task.num_masked(facts)

    def sample_metrics(self) -> Sequence[str]:
        return ("loss",)

    def decode(self, x_BCHW: Tensor, visible_BS: Tensor) -> Tensor:
        """Return the decoder's output for every patch (B, T, P), given the visible ones."""
        encoder: Any = self.networks[ENCODER]
        context = {"visible": visible_BS}
        seen_BSD = self.encoder.heads[EMBED](apply(encoder.body, x_BCHW, context))
        decoded_BTP: Tensor = apply(self.networks[DECODER], seen_BSD, context)
        return decoded_BTP

    def targets(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the patches (B, T, P) to be reconstructed, and the mean and standard deviation (B, T, 1) taken out."""
        patches_BTP = to_patches(x_BCHW, self.task.patch_size)
        if not self.task.norm_pix_loss:
            return patches_BTP, torch.zeros_like(patches_BTP[..., :1]), torch.ones_like(patches_BTP[..., :1])
        mean_BT1 = patches_BTP.mean(2, keepdim=True)
        std_BT1 = (patches_BTP.var(2, keepdim=True, correction=0) + MIN_VARIANCE).sqrt()
        return (patches_BTP - mean_BT1) / std_BT1, mean_BT1, std_BT1

    def reconstruct(self, x_BCHW: Tensor, draws_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return each image's error over its hidden patches (B,), the decoder's output, and which were hidden."""
        visible_BS, hidden_BT = choose_visible(draws_BT, self.hidden)
        decoded_BTP = self.decode(x_BCHW, visible_BS)
        error_BT = (decoded_BTP.float() - self.targets(x_BCHW)[0]).square().mean(2)
        return (error_BT * hidden_BT).sum(1) / self.hidden, decoded_BTP, hidden_BT

    def prepare_step(self, batch: Batch) -> Batch:
        rows = batch["rows"]
        return {**batch, DRAWS: torch.rand(len(rows), self.patches, device=rows.device)}

    def loss(self, batch: Batch) -> Tensor:
        error_B, *_ = self.reconstruct(self.input_of(batch), batch[DRAWS])
        return error_B.mean()

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        x_BCHW = self.input_of(batch)
        error_B, decoded_BTP, hidden_BT = self.reconstruct(x_BCHW, self.noise(index_B, (self.patches,)))
        if self.trainer.testing and "reconstructions" not in self.outputs.extras:
            some = (x_BCHW, decoded_BTP.float(), hidden_BT[..., None])
            self._collect_reconstructions(*(values[:SHEET] for values in some))
        return {"loss": error_B}

    def _collect_reconstructions(self, x_BCHW: Tensor, decoded_BTP: Tensor, hidden_BT1: Tensor) -> None:
        """Collect the first images, what was visible of them, and with the reconstruction of hidden patches."""
        _, mean_BT1, std_BT1 = self.targets(x_BCHW)
        patches_BTP = to_patches(x_BCHW, self.task.patch_size)
        blank_BTP = torch.full_like(patches_BTP, sum(value_range(self.spec)) / 2)
        put = (blank_BTP, decoded_BTP * std_BT1 + mean_BT1)
        filled = [torch.where(hidden_BT1, put_BTP, patches_BTP) for put_BTP in put]
        rows = [x_BCHW, *(to_images(some_BTP, self.task.patch_size, x_BCHW) for some_BTP in filled)]
        self.outputs.extras["reconstructions"] = torch.stack([to_image(row, self.spec) for row in rows]).numpy()
