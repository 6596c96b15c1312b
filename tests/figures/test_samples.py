"""Pictures of samples and codes: every image is in its place, and classes can be told apart."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from dlx.figures.embedding import embedding
from dlx.figures.samples import BETWEEN, GAP, strips, tile_images


def test_tiles_lie_row_by_row_on_a_color_that_is_none_of_theirs():
    images = np.arange(5)[:, None, None, None] / 4 * np.ones((5, 1, 2, 3))
    sheet = tile_images(images, 3)
    assert sheet.shape == (2 * 2 + GAP, 3 * 3 + 2 * GAP, 3)
    for k in range(5):
        top, left = k // 3 * (2 + GAP), k % 3 * (3 + GAP)
        assert (sheet[top : top + 2, left : left + 3] == k / 4).all()
    assert (sheet[2] == BETWEEN).all() and (sheet[3:, 8:] == BETWEEN).all()


def test_colors_stay_where_there_are_three_channels():
    red = np.zeros((1, 3, 2, 2))
    red[:, 0] = 1
    assert (tile_images(red, 1) == (1, 0, 0)).all()


def test_rows_of_a_strip_have_their_names():
    figure = strips(np.zeros((2, 4, 1, 3, 3)), ["input", "given back"])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["input", "given back"]
    assert axes.images[0].get_array().shape == (2 * 3 + GAP, 4 * 3 + 3 * GAP, 3)


@pytest.mark.parametrize("classes", [3, 10, 14])
def test_codes_are_drawn_on_their_principal_plane_each_class_in_a_color_of_its_own(classes):
    x, y = load_digits(return_X_y=True)
    x, y = x[:120], np.arange(120) % classes
    figure = embedding(x, y, "class", [str(c) for c in range(classes)])
    plane, near = (axes.collections[0] for axes in figure.axes[:2])
    wanted = PCA(2, random_state=0).fit_transform(x)
    assert np.allclose(plane.get_offsets(), wanted)
    assert len(near.get_offsets()) == 120 and np.isfinite(near.get_offsets()).all()
    colors = plane.to_rgba(y)
    assert len(np.unique(colors, axis=0)) == classes
    assert all((colors[y == c] == colors[y == c][0]).all() for c in range(classes))


def test_few_points_are_drawn_larger():
    x = np.random.default_rng(0).normal(size=(40, 3))
    small, large = (embedding(np.tile(x, (n, 1)), np.arange(40 * n), "sample") for n in (50, 1))
    assert large.axes[0].collections[0].get_sizes()[0] > 3 * small.axes[0].collections[0].get_sizes()[0]
