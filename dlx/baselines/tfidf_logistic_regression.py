from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.baselines import Baseline, BaselineKind, BaselineProblem, BaselineSplit

if TYPE_CHECKING:
    import numpy as np


class TfidfLogisticRegression(Baseline):
    """TF-IDF and logistic regression: a linear classifier of how often words, and phrases of words, stand in a text.

    Words are the tokens of the recipe's own tokenizer. Frequencies are weighted by how rare a word is among the texts
    of the train split.

    Source:  scikit-learn TfidfVectorizer and LogisticRegression; Wang & Manning 2012 for how hard it is to beat.

    Example:
        {type: tfidf_logistic_regression, max_ngram: 1}
    """

    type: Literal["tfidf_logistic_regression"] = "tfidf_logistic_regression"
    kinds: ClassVar[tuple[BaselineKind, ...]] = ("classes", "labels")
    max_ngram: int = Field(2, ge=1)
    """Words of the longest phrases that are counted."""
    C: float = Field(1.0, gt=0)
    """Inverse of the strength of the L2 penalty."""

    def fits(self, problem: BaselineProblem) -> bool:
        return super().fits(problem) and problem.has_text

    def fit_predict(self, train: BaselineSplit, test: BaselineSplit, problem: BaselineProblem) -> np.ndarray:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression as Estimator

        from dlx.baselines._features import fit_probabilities

        (name,) = problem.fields
        vectorizer = TfidfVectorizer(analyzer=self._ngrams)
        x_NF = vectorizer.fit_transform(train.inputs[name])
        test_NF = vectorizer.transform(test.inputs[name])
        estimator = Estimator(C=self.C, max_iter=1000)
        return fit_probabilities(estimator, x_NF, train.target, test_NF, len(problem.facts.classes))

    def _ngrams(self, codes_T: np.ndarray) -> list[str]:
        words = [str(code) for code in codes_T.tolist()]
        return [" ".join(words[at : at + n]) for n in range(1, self.max_ngram + 1) for at in range(len(words) - n + 1)]
