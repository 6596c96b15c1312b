from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit
from dlx.unions import single_error

if TYPE_CHECKING:
    import numpy as np


class PCA(Baseline):
    """PCA: the best linear code of as many numbers as the network's, and the way back.

    Noisy samples are projected on the plane of the clean ones.

    Source:  scikit-learn PCA; Baldi & Hornik 1989 for the plane that a linear autoencoder finds.

    Example:
        {type: pca, n_components: 8}
    """

    type: Literal["pca"] = "pca"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("reconstruction", "denoising")
    n_components: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1)], single_error("auto, or a positive whole number")
    ] = "auto"
    """Size of the code; `auto` is that of the network's."""

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        from sklearn import decomposition

        clean_NF = train.target.reshape(len(train.target), -1)
        (seen,) = test.inputs.values()
        wanted = problem.latent_dim if self.n_components == "auto" else self.n_components
        estimator = decomposition.PCA(min(wanted, *clean_NF.shape), random_state=0).fit(clean_NF)
        found: np.ndarray = estimator.inverse_transform(estimator.transform(seen.reshape(len(seen), -1)))
        return found.reshape(test.target.shape)
