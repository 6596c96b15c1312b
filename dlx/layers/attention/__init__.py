from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.initializers import Initializer
from dlx.layers import Layer, LinearMap, ParameterInit, require_context
from dlx.layers._axes import num_features
from dlx.tensors import Cost, TensorSpec

if TYPE_CHECKING:
    from torch import nn


class Attention(Layer):
    """Multi-head attention: every step is a weighted mean of all steps, by the similarity of its query to their keys.

    softmax(Q Kᵀ · scale) V in each of `num_heads` subspaces. Keys and values come from the input itself, or with memory
    from a sequence that `provide` put into the context. causal hides what comes later; sliding_window hides what is
    farther away than that; stride lets steps that are a multiple of it away be seen all the same. With fewer
    num_kv_heads, groups of heads share keys and values, so that decoding remembers less. rope turns queries and keys by
    angles that grow with their position, so that scores depend on distances; alibi lowers the scores of distant steps,
    with slopes mₕ that halve from head to head; position_bias names a value that is added to the scores. The attention
    mask of padding (`mask`, or `<memory>_mask`) keeps padding from changing a result.

    Stepwise decoding keeps keys and values in the cache. While its switch `store_attention` is on, the module stores
    the attention weights of the last forward pass, one map a head.

    Shapes:  (T, F), kept.
    Units:   dropout is the probability that a weight is set to zero in training.
    Raises:  ShapeError if num_heads does not divide the features, num_kv_heads does not divide num_heads, or nothing
             provides the memory.
    Source:  Vaswani et al. 2017, arXiv:1706.03762; num_kv_heads: Ainslie et al. 2023, arXiv:2305.13245; rope: Su et al.
             2021, arXiv:2104.09864, with the two halves of a head as pairs; alibi: Press et al. 2022, arXiv:2108.12409;
             sliding_window and stride: Child et al. 2019, arXiv:1904.10509;
             torch.nn.functional.scaled_dot_product_attention.

    Example:
        {attention: {num_heads: 4, causal: true, rope: true}}
    """

    primary: ClassVar[str] = "num_heads"
    type: Literal["attention"] = "attention"
    num_heads: int = Field(gt=0)
    """Number of subspaces."""
    num_kv_heads: int | None = Field(None, gt=0)
    """Number of heads of keys and values; null makes num_heads."""
    head_dim: int | None = Field(None, gt=0)
    """Features of a head; null divides the input's features among the heads."""
    memory: str | None = None
    """Name of the sequence in scope that is attended to, such as memory; null is the input itself."""
    causal: bool = False
    """Whether a step sees only itself and what came before it."""
    sliding_window: int | None = Field(None, gt=0)
    """A step sees those that are fewer steps away than this; null is no limit."""
    stride: int | None = Field(None, gt=1)
    """Beyond the window, a step also sees those a multiple of this away; the sliding window is as long if not given."""
    rope: bool = False
    """Rotary position embedding (RoPE): whether queries and keys are rotated by their positions."""
    rope_theta: float = Field(10000.0, gt=1)
    """The wavelengths of rope are powers of this, in steps."""
    alibi: bool = False
    """Attention with linear biases: whether −mₕ · distance is added to the scores of head h."""
    position_bias: str | None = None
    """Name of a value in scope, such as relative_bias makes, that is added to the scores."""
    scale: float | None = Field(None, gt=0)
    """Factor of the scores; null is 1 / √head_dim."""
    bias: bool = True
    """Whether the linear maps have a bias."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a weight is set to zero in training."""
    query_init: Initializer | None = None
    """Initializer of the query projection; null takes that of the layer."""
    out_init: Initializer | None = None
    """Initializer of the output projection; null takes that of the layer."""

    def shape(self, x: TensorSpec) -> TensorSpec:
        self._head_dim(x)
        if self.position_bias is not None:
            self._check_bias(x)
        if self.memory is None:
            return x
        if self.causal or self.sliding_window or self.stride or self.rope or self.alibi:
            names = "causal, sliding_window, stride, rope and alibi"
            raise ShapeError(f"{names} are about the steps of one sequence, not of a memory")
        num_features(self._source(x), f"attention to {self.memory}", ("TF",))
        return x

    def cost(self, x: TensorSpec) -> Cost:
        features, size, source = num_features(x, self.type, ("TF",)), self._head_dim(x), self._source(x)
        inner, outer = self.num_heads * size, 2 * self._kv_heads() * size
        steps, seen = x.elements // features, source.elements // num_features(source, self.type, ("TF",))
        maps = [(features, inner, steps), (num_features(source, self.type), outer, seen), (inner, features, steps)]
        kept = x.elements + 2 * steps * inner + seen * outer + steps * self.num_heads
        kept += steps * (inner + outer // 2) * self.rope  # queries and keys before they are turned
        return Cost(
            parameters=sum((a + self.bias) * b for a, b, _ in maps),
            macs=sum(a * b * n for a, b, n in maps) + 2 * steps * seen * inner,
            activations=kept + (source.elements if self.memory else 0),
            unfused=self._scores(steps, seen),
        )

    def linear_maps(self, x: TensorSpec) -> dict[str, LinearMap]:
        features, size, source = num_features(x, self.type, ("TF",)), self._head_dim(x), self._source(x)
        inner, outer = self.num_heads * size, 2 * self._kv_heads() * size
        out = {"out": LinearMap(features, inner, self.bias)}
        if self.memory is None:
            return {"qkv": LinearMap(inner + outer, features, self.bias), **out}
        memory = LinearMap(outer, num_features(source, self.type), self.bias)
        return {"q": LinearMap(inner, features, self.bias), "kv": memory, **out}

    def parameter_initializers(self, x: TensorSpec) -> list[ParameterInit]:
        queries = slice(self.num_heads * self._head_dim(x)) if self.memory is None else slice(None)
        matrix = "qkv.weight" if self.memory is None else "q.weight"
        found = [] if self.query_init is None else [ParameterInit(matrix, self.query_init, queries)]
        return found + ([] if self.out_init is None else [ParameterInit("out.weight", self.out_init)])

    def build(self, x: TensorSpec) -> nn.Module:
        from dlx.layers.attention.module import AttentionConfig, CrossAttention, SelfAttention
        from dlx.layers.attention.pattern import AttentionPattern

        size = self._head_dim(x)
        scale = self.scale or size**-0.5
        config = AttentionConfig(
            num_features(x, self.type),
            self.num_heads,
            self._kv_heads(),
            size,
            self.bias,
            scale,
            self.dropout,
            self.position_bias,
        )
        if self.memory is not None:
            return CrossAttention(config, self.memory, num_features(self._source(x), self.type))
        pattern = AttentionPattern(self.causal, self.sliding_window or self.stride, self.stride)
        return SelfAttention(config, pattern, self.rope_theta if self.rope else None, self.alibi)

    def _scores(self, steps: int, seen: int) -> int:
        """Return the elements of whole maps that are kept where no kernel draws dropout or learns a bias itself."""
        kept = 3 if self.dropout else 1 if self.position_bias is not None else 0  # weights, mask, and what it leaves
        return kept * self.num_heads * steps * seen

    def _source(self, x: TensorSpec) -> TensorSpec:
        return x if self.memory is None else require_context(x, self.memory, self.type)

    def _kv_heads(self) -> int:
        return self.num_kv_heads or self.num_heads

    def _head_dim(self, x: TensorSpec) -> int:
        features = num_features(x, self.type, ("TF",))
        if self.head_dim is None and features % self.num_heads:
            raise ShapeError(f"{self.num_heads} heads do not divide {features} features; give a `head_dim`")
        if self.num_heads % self._kv_heads():
            raise ShapeError(f"{self.num_kv_heads} heads of keys do not divide {self.num_heads} heads")
        size = self.head_dim or features // self.num_heads
        if self.rope and size % 2:
            raise ShapeError(f"rope needs heads of an even size, but they have {size}")
        return size

    def _check_bias(self, x: TensorSpec) -> None:
        bias = require_context(x, self.position_bias or "", self.type)
        if len(bias.dims) != 3 or bias.dims[0] not in (1, self.num_heads):
            raise ShapeError(
                f"position_bias of {self.num_heads} heads is {self.num_heads} × T × T, but '{bias}' is in scope"
            )
