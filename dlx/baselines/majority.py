from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit

if TYPE_CHECKING:
    import numpy as np


class Majority(Baseline):
    """Majority class: always the answer that is commonest in the train split, with its frequencies as probabilities.

    What a network must reach before it has learned anything from its inputs.

    Source:  scikit-learn DummyClassifier, strategy `prior`.

    Example:
        majority
    """

    type: Literal["majority"] = "majority"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("classes", "labels")

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        import numpy as np
        from sklearn.dummy import DummyClassifier

        from dlx.baselines._features import fit_probabilities

        nothing, none = np.zeros((len(train.target), 1)), np.zeros((len(test.target), 1))
        count = len(problem.facts.classes)
        return fit_probabilities(DummyClassifier(strategy="prior"), nothing, train.target, none, count)
