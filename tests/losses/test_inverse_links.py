"""What turns outputs into predictions is the function of the literature."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch

from dlx.losses._inverse_links_torch import INVERSE_LINKS


@pytest.fixture
def output():
    return 2 * torch.randn(20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_softmax_sigmoid_exp_and_clip_are_scipys_and_numpys(output):
    references = {
        "softmax": lambda z: scipy.special.softmax(z, axis=1),
        "sigmoid": scipy.special.expit,
        "exp": np.exp,
        "clip": lambda z: np.clip(z, 0, 1),
        "identity": lambda z: z,
    }
    for name, reference in references.items():
        assert np.allclose(INVERSE_LINKS[name](output), reference(output.numpy())), name


def test_sparsemax_is_the_nearest_point_of_the_simplex(output):
    """Against a general solver of: minimize |p - z|^2 with p >= 0 and sum p = 1."""
    for z, p in zip(output.numpy()[:6], INVERSE_LINKS["sparsemax"](output), strict=False):
        found = scipy.optimize.minimize(
            lambda q, z=z: ((q - z) ** 2).sum(),
            np.full(4, 0.25),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
            options={"ftol": 1e-14},
        )
        assert np.allclose(p, found.x, atol=1e-5)


def test_sparsemax_keeps_probabilities_and_works_on_every_pixel(output):
    p = output.softmax(1)
    torch.testing.assert_close(INVERSE_LINKS["sparsemax"](p), p)
    maps = output.reshape(5, 4, 4).movedim(1, 2)  # (B, K, N): every position has its own four scores
    expected = INVERSE_LINKS["sparsemax"](output).reshape(5, 4, 4).movedim(1, 2)
    torch.testing.assert_close(INVERSE_LINKS["sparsemax"](maps), expected)
