"""Tiles of images: random crops of the cells of a grid. B batch, G tiles of an image."""

from __future__ import annotations

import torch
from torch import Tensor


def cut_tiles(x_BCHW: Tensor, grid: int, gap: int, draws_BD: Tensor) -> Tensor:
    """Return the tiles (B, grid², C, h, w) of images, row by row, each where two random numbers put it in its cell."""
    height, width = (side // grid for side in x_BCHW.shape[2:])
    shift_BG2 = (draws_BD.reshape(len(x_BCHW), grid**2, 2) * (gap + 1)).long().clamp(max=gap)
    cell_G = torch.arange(grid**2, device=x_BCHW.device)
    top_BG = cell_G // grid * height + shift_BG2[..., 0]
    left_BG = cell_G % grid * width + shift_BG2[..., 1]
    rows_BGH = top_BG[..., None] + torch.arange(height - gap, device=x_BCHW.device)
    columns_BGW = left_BG[..., None] + torch.arange(width - gap, device=x_BCHW.device)
    image_B = torch.arange(len(x_BCHW), device=x_BCHW.device).view(-1, 1, 1, 1)
    tiles_BGHWC = x_BCHW.movedim(1, -1)[image_B, rows_BGH[..., :, None], columns_BGW[..., None, :]]
    return tiles_BGHWC.movedim(-1, 2)


def place_tiles(tiles_BGCHW: Tensor, places_BG: Tensor, empty_BCHW: Tensor, grid: int) -> Tensor:
    """Return empty images with tiles in the middle of the cells whose numbers are their places."""
    picture_BCHW = empty_BCHW.clone()
    height, width = tiles_BGCHW.shape[3:]
    cell_height, cell_width = (side // grid for side in picture_BCHW.shape[2:])
    for image, (tiles_GCHW, places_G) in enumerate(zip(tiles_BGCHW, places_BG.tolist(), strict=True)):
        for tile_CHW, place in zip(tiles_GCHW, places_G, strict=True):
            top = place // grid * cell_height + (cell_height - height) // 2
            left = place % grid * cell_width + (cell_width - width) // 2
            picture_BCHW[image, :, top : top + height, left : left + width] = tile_CHW
    return picture_BCHW
