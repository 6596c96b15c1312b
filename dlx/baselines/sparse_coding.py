from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit
from dlx.unions import single_error

if TYPE_CHECKING:
    import numpy as np


class SparseCoding(Baseline):
    """Sparse coding: each sample is a sum of a few of many learned patterns (dictionary learning).

    The dictionary may have more patterns than the network's code has numbers; of each sample only so many are used.
    `baselines: auto` leaves it out, for it takes seconds to minutes.

    Source:  scikit-learn MiniBatchDictionaryLearning with orthogonal matching pursuit; Olshausen & Field 1996,
             doi:10.1038/381607a0.

    Example:
        {type: sparse_coding, n_components: 32, n_nonzero_coefs: 4}
    """

    type: Literal["sparse_coding"] = "sparse_coding"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("reconstruction", "denoising")
    in_auto: ClassVar[bool] = False
    n_components: int = Field(128, ge=1)
    """Patterns in the dictionary."""
    n_nonzero_coefs: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1)], single_error("auto, or a positive whole number")
    ] = "auto"
    """Patterns of which a sample is made; `auto` is the size of the network's code."""

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        from sklearn.decomposition import MiniBatchDictionaryLearning

        clean_NF = train.target.reshape(len(train.target), -1)
        mean_F = clean_NF.mean(0)
        (seen,) = test.inputs.values()
        wanted = problem.latent_dim if self.n_nonzero_coefs == "auto" else self.n_nonzero_coefs
        coder = MiniBatchDictionaryLearning(
            self.n_components,
            transform_algorithm="omp",
            transform_n_nonzero_coefs=min(wanted, self.n_components, clean_NF.shape[1]),
            random_state=0,
        ).fit(clean_NF - mean_F)
        found: np.ndarray = coder.transform(seen.reshape(len(seen), -1) - mean_F) @ coder.components_ + mean_F
        return found.reshape(test.target.shape)
