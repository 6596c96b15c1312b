from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape
from dlx.models import Model
from dlx.rules import CheckContext, Problem
from dlx.tasks import ChanceLevel, Learning, Role, Task, UnfitData
from dlx.tasks._base.masks import input_with_masks, is_sequence
from dlx.tensors import Spec, TensorSpec, describe
from dlx.tokenizers import MASKED

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn

ROLE = Task.default_role
ENDS = 3
"""Tokens of a pair that are in neither text: one begins it, and one ends each."""


class MaskedLM(Task):
    """Masked language modeling: predicts the masked tokens of a text from the tokens on both sides (BERT).

    Of every text a fraction of the tokens is chosen, anew each time it is read in training; most of these are replaced
    by the mask token, some by a random token, and some stay. Loss and metrics are of the chosen tokens alone. With
    `next_sentence` a text is two pieces of running text, of which the second follows the first or is from elsewhere,
    which is predicted too (next-sentence prediction). What the network has learned of a language then serves a task of
    few samples (transfer learning), by `init_from`, with the tokenizer of this run.

    Shapes:  (T,) tokens → (T, features), the model's; then logits of all tokens for each chosen one. Running text in
             pairs: blocks of `length` tokens are cut in the middle, and T is 3 more.
    Units:   loss in nats a chosen token, plus those a pair; perplexity is e to the mean of −log p of chosen tokens. The
             plan counts the logits of every token, of which only those of chosen ones are computed.
    Raises:  ShapeError if the input is not one text, or the model does not keep the steps apart.
    Source:  Devlin et al. 2018, arXiv:1810.04805. Deviations: the logits have a table of their own; a piece from
             elsewhere is always the same one of its text, and of the same length.

    Example:
        {type: masked_lm, next_sentence: true}
    """

    type: Literal["masked_lm"] = "masked_lm"
    needs_full_parameters: ClassVar[bool] = True
    special_tokens: ClassVar[tuple[str, ...]] = (MASKED,)
    mask_ratio: float = Field(0.15, gt=0, le=1)
    """Fraction of the tokens of a text that are chosen; at least one is."""
    mask_replace_prob: float = Field(0.8, ge=0, le=1)
    """Fraction of the chosen tokens that are replaced by the mask token."""
    random_replace_prob: float = Field(0.1, ge=0, le=1)
    """Fraction of the chosen tokens that are replaced by a random token."""
    next_sentence: bool = False
    """Next-sentence prediction: whether pieces of running text are paired, and the network predicts if one follows."""
    hidden: int | None = Field(None, gt=0)
    """Features of the layer between the model and the logits; null is as many as the model's."""
    num_examples: int = Field(5, ge=0)
    """Texts of the test split with the network's predictions, in the run's `masked.txt`."""

    @model_validator(mode="after")
    def _check_fractions(self) -> Self:
        if self.mask_replace_prob + self.random_replace_prob > 1:
            total = self.mask_replace_prob + self.random_replace_prob
            raise ValueError(f"mask_replace_prob and random_replace_prob sum up to {total:g}, more than 1")
        return self

    @property
    def target_kind(self) -> str | None:  # type: ignore[override]
        """Pairs are made for next-sentence prediction."""
        return "pairs" if self.next_sentence else None

    def roles(self, facts: DataFacts) -> dict[str, Role]:
        return {ROLE: Role(self._input(facts))}

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        x = self._input(facts)
        body = model.tree(x)
        features = infer_shape((), body, x)
        if not isinstance(features, TensorSpec) or features.axes != "TF":
            raise ShapeError(f"masked_lm needs features of every step, but the model ends in {features}; {_ADVICE}")
        width, words = self.hidden or features.dims[-1], _tokens(facts).vocab[0]
        between = [{"linear": width}, "gelu", {"layer_norm": {"eps": 1e-12}}]
        heads: dict[str, list[Any]] = {"masked_tokens": [*between, {"linear": words}]}
        if self.next_sentence:
            heads["next_sentence"] = [{"linear": width}, "tanh", {"linear": 2}]
        of = [{"type": "sequential", "name": name, "layers": layers} for name, layers in heads.items()]
        named = body.evolve("name", "body")
        return Layer.model_validate([named, {"type": "branches", "name": "heads", "join": "concat", "of": of}])

    @property
    def learning_metric(self) -> str:
        return "accuracy"

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        pairs = {"next_sentence_loss": "lower", "next_sentence_accuracy": "higher"} if self.next_sentence else {}
        return {"loss": "lower", "perplexity": "lower", "accuracy": "higher", **pairs}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        facts = context.facts
        x = facts.input
        if not isinstance(x, TensorSpec) or not (is_sequence(x) and x.vocab and facts.inputs[0] in facts.tokenizers):
            yield UnfitData.at(f"masked_lm reads one text, but the input is {describe(x)}; choose by data.inputs")
        elif context.networks:
            chance = math.log(_tokens(facts).vocab[0]) + math.log(2) * self.next_sentence
            yield ChanceLevel.at(f"a loss of {chance:.2f} is chance: it gives every class the same probability")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.masked_lm.module import MaskedLMModule

        return MaskedLMModule(networks, facts, learning, self)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        """Return the mean of the features of each text's tokens."""
        return {f"feature_{i + 1}": values[:, i].tolist() for i in range(values.shape[1])}

    def _input(self, facts: DataFacts) -> Spec:
        """Return the network's input: a text, or a pair with its segment ids in the context."""
        if not self.next_sentence:
            return input_with_masks(facts)
        x = _tokens(facts)
        assert x.dims[0] is not None
        pair = x.replace(dims=(x.dims[0] + ENDS,))
        return pair.replace(context={"segment": TensorSpec(pair.dims, "T", "int64")})


def _tokens(facts: DataFacts) -> TensorSpec:
    return facts.fields[facts.inputs[0]]


_ADVICE = "bert gives them with `pooler: false`, a recurrent model with `output: steps`"
