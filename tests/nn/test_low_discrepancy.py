"""Low-discrepancy sequences spread evenly, as scipy measures it."""

import torch
from scipy.stats import qmc

from dlx.nn.low_discrepancy import kronecker_sequence


def test_any_stretch_of_a_kronecker_sequence_is_more_even_than_random_numbers():
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(20, 200, 1, generator=generator, dtype=torch.float64).numpy()
    random = sum(map(qmc.discrepancy, draws)) / len(draws)
    for start in (0, 1000):
        shares = kronecker_sequence(torch.arange(start, start + 200, dtype=torch.float64))
        assert shares.min() >= 0 and shares.max() < 1
        assert qmc.discrepancy(shares[:, None].numpy()) < 0.1 * random
