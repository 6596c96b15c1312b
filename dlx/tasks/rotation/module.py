"""Which way up an image stands. B batch, R turns, Q = R · B questions, F features."""

from __future__ import annotations

import torch
from torch import Tensor

from dlx.tasks._ssl.pretext_module import Asked, PretextModule
from dlx.tasks.rotation._turns import TURNS


def turned(x_BCHW: Tensor) -> Tensor:
    """Return every image in every way, (R · B, C, H, W): first all that are not turned, then all by 90 degrees, …"""
    return torch.cat([x_BCHW.rot90(k, dims=(2, 3)) for k in range(TURNS)])


class RotationModule(PretextModule):
    """An encoder, and a head that says by how many quarters an image was turned."""

    def ask(self, x_BCHW: Tensor, draws_BD: Tensor) -> Asked:
        truth_Q = torch.arange(TURNS, device=x_BCHW.device).repeat_interleave(len(x_BCHW))
        return Asked(turned(x_BCHW).unsqueeze(1), truth_Q)

    def drawn(self, asked: Asked, said_Q: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return turned images, and the same turned back as far as is said."""
        turned_QCHW = asked.pieces[:, 0]
        back = [image.rot90(-k, dims=(1, 2)) for image, k in zip(turned_QCHW, said_Q.tolist(), strict=True)]
        return turned_QCHW, torch.stack(back)
