"""Rotation: by how many quarters an image was rotated. B batch, R rotations, Q = R · B examples."""

from __future__ import annotations

import torch
from torch import Tensor

from dlx.tasks._ssl.pretext_module import PretextExamples, PretextModule
from dlx.tasks.rotation._rotations import ROTATIONS


def rotations(x_BCHW: Tensor) -> Tensor:
    """Return every image in every rotation, (R · B, C, H, W): first all that are not rotated, then all by 90°, …"""
    return torch.cat([x_BCHW.rot90(k, dims=(2, 3)) for k in range(ROTATIONS)])


class RotationModule(PretextModule):
    """An encoder, and a head that predicts by how many quarters an image was rotated."""

    def examples(self, x_BCHW: Tensor, draws_BD: Tensor) -> PretextExamples:
        label_Q = torch.arange(ROTATIONS, device=x_BCHW.device).repeat_interleave(len(x_BCHW))
        return PretextExamples(rotations(x_BCHW).unsqueeze(1), label_Q)

    def visualize(self, examples: PretextExamples, predicted_Q: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return rotated images, and the same rotated back as far as is predicted."""
        rotated_QCHW = examples.pieces[:, 0]
        back = [image.rot90(-k, dims=(1, 2)) for image, k in zip(rotated_QCHW, predicted_Q.tolist(), strict=True)]
        return rotated_QCHW, torch.stack(back)
