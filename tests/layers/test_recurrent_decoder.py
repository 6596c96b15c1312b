"""The recurrent decoder against formulas step by step, against padding, and against itself with a cache."""

import functools
import itertools
import warnings

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dlx.errors import ShapeError
from dlx.layers import Layer
from dlx.nn.context import Cache
from dlx.tensors import TensorSpec

MEMORY = TensorSpec((None, 7), "TF")
X = TensorSpec((None, 5), "TF", context={"memory": MEMORY})
CELLS = [{"gru": 4}, {"lstm": {"hidden": 4, "num_layers": 2}}, {"lstm": {"hidden": 4, "peepholes": True}}, {"rnn": 4}]
WAYS = [{"attention": "bahdanau"}, {"attention": "luong"}, {"attention": "luong", "input_feeding": True}]
DECODERS = [{"cell": cell, **how} for cell in CELLS for how in WAYS]
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1]]).bool()
MEMORY_MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [0, 1, 0, 1]]).bool()


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def make(fields):
    return Layer.model_validate({"recurrent_decoder": fields}).build(X).double()


def numbers(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def start(decoder, memory, summary=lambda memory: memory.mean(0)):
    """Every part of the initial state, from a summary of one sample's memory (S, D)."""
    core = decoder.cell.core
    flat = torch.tanh(decoder.initial.weight @ summary(memory) + decoder.initial.bias)
    parts = flat.view(-1, core.num_layers, 1, core.hidden_size)
    return parts[0] if len(parts) == 1 else tuple(parts)


def step(decoder, x, state):
    """One step of one sample (F,): the output (H,) and the state after it."""
    y, state = decoder.cell.core(x[None, None], state)
    return y[0, 0], state


def attended(score, memory):
    weight = score.exp() / score.exp().sum()
    return weight, sum(w * place for w, place in zip(weight, memory, strict=True))


def bahdanau_by_hand(decoder, x, memory):
    state, outputs, weights = start(decoder, memory), [], []
    w, u, b = decoder.query.weight, decoder.keys.weight, decoder.keys.bias
    for x_t in x:
        h = (state[0] if isinstance(state, tuple) else state)[-1, 0]
        score = torch.stack([decoder.score.weight[0] @ torch.tanh(w @ h + u @ place + b) for place in memory])
        weight, found = attended(score, memory)
        y, state = step(decoder, torch.cat([x_t, found]), state)
        outputs.append(torch.tanh(decoder.output.weight @ torch.cat([y, found])))
        weights.append(weight)
    return torch.stack(outputs), torch.stack(weights)


def luong_by_hand(decoder, x, memory, feed=False):
    state, outputs, weights = start(decoder, memory), [], []
    for x_t in x:
        before = outputs[-1] if outputs else torch.zeros(4).double()
        y, state = step(decoder, torch.cat([x_t, before]) if feed else x_t, state)
        score = torch.stack([y @ (decoder.keys.weight @ place) for place in memory])
        weight, found = attended(score, memory)
        outputs.append(torch.tanh(decoder.output.weight @ torch.cat([y, found])))
        weights.append(weight)
    return torch.stack(outputs), torch.stack(weights)


@pytest.mark.parametrize("fields", DECODERS, ids=str)
def test_outputs_and_maps_are_those_of_the_papers_formulas(fields):
    decoder, x, memory = make(fields), numbers(3, 5, 5), numbers(3, 4, 7)
    decoder.store_attention = True
    by_hand = {"bahdanau": bahdanau_by_hand, "luong": luong_by_hand}[fields["attention"]]
    by_hand = functools.partial(by_hand, feed=True) if fields.get("input_feeding") else by_hand
    y = decoder(x, {"memory": memory})
    for i in range(3):
        expected, weights = by_hand(decoder, x[i], memory[i])
        assert torch.allclose(y[i], expected)
        assert torch.allclose(decoder.attention_weights[i, 0], weights)


@pytest.mark.parametrize("fields", DECODERS, ids=str)
def test_padding_of_target_and_memory_never_changes_a_result(fields):
    decoder, x, memory = make(fields), numbers(3, 5, 5), numbers(3, 4, 7)
    y = decoder(x, {"memory": memory, "mask": MASK, "memory_mask": MEMORY_MASK})
    for i in range(3):
        alone = decoder(x[i : i + 1, MASK[i]], {"memory": memory[i : i + 1, MEMORY_MASK[i]]})[0]
        assert torch.allclose(y[i, MASK[i]], alone)


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4), (3,)], ids=str)
@pytest.mark.parametrize("fields", DECODERS, ids=str)
def test_going_on_from_a_cache_gives_what_teacher_forcing_gives(fields, cuts):
    decoder, x, memory, cache = make(fields), numbers(3, 5, 5), numbers(3, 4, 7), Cache()
    scope = {"memory": memory, "memory_mask": MEMORY_MASK}
    parts = []
    for begin, end in itertools.pairwise((0, *cuts, 5)):
        parts.append(decoder(x[:, begin:end], {**scope, "mask": MASK[:, begin:end], "cache": cache}))
        cache.advance(end - begin)
    whole = decoder(x, {**scope, "mask": MASK})
    assert torch.allclose(torch.cat(parts, 1)[MASK], whole[MASK])


@pytest.mark.parametrize("fields", DECODERS[:3], ids=str)
def test_a_beam_goes_on_from_the_row_that_it_is_told(fields):
    decoder, x, memory, index = make(fields), numbers(3, 5, 5), numbers(3, 4, 7), torch.tensor([1, 1, 0])
    cache = Cache()
    decoder(x[:, :4], {"memory": memory, "cache": cache})
    cache.reorder(index)
    last = decoder(x[:, 4:], {"memory": memory[index], "cache": cache})
    whole = decoder(torch.cat([x[index, :4], x[:, 4:]], 1), {"memory": memory[index]})
    assert torch.allclose(last[:, 0], whole[:, -1])


@pytest.mark.parametrize("fields", DECODERS[:3], ids=str)
def test_gradients_are_those_of_finite_differences(fields):
    decoder = make(fields)
    inputs = (numbers(3, 5, 5).requires_grad_(), numbers(3, 4, 7).requires_grad_())
    scope = {"mask": MASK, "memory_mask": MEMORY_MASK}
    assert torch.autograd.gradcheck(lambda x, memory: decoder(x, {**scope, "memory": memory}), inputs)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"linear": 3}, "linear is no recurrent layer"),
        ({"gru": {"hidden": 3, "bidirectional": True}}, "goes forward"),
        ({"gru": {"hidden": 3, "output": "last"}}, "gives every step"),
    ],
    ids=str,
)
def test_a_cell_must_be_able_to_decode(cell, message):
    with pytest.raises(ValueError, match=message):
        Layer.model_validate({"recurrent_decoder": {"cell": cell}})


def test_without_a_memory_there_is_nothing_to_look_at():
    with pytest.raises(ShapeError, match="reads 'memory', which nothing provides"):
        Layer.model_validate("recurrent_decoder").shape(TensorSpec((6, 5), "TF"))


@pytest.mark.parametrize("fields", DECODERS, ids=str)
def test_parameters_and_multiply_adds_are_what_torch_counts(fields):
    x = TensorSpec((6, 5), "TF", context={"memory": TensorSpec((9, 7), "TF")})
    layer = Layer.model_validate({"recurrent_decoder": fields})
    decoder = layer.build(x)
    counting = FlopCounterMode(display=False)
    with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False), counting as counter:
        decoder(torch.randn(2, 6, 5), {"memory": torch.randn(2, 9, 7)})
    assert counter.get_total_flops() == 2 * 2 * layer.cost(x).macs
    assert layer.cost(x).parameters == sum(p.numel() for p in decoder.parameters())


INITIAL_STATES = {
    "mean": lambda memory: memory.mean(0),
    "backward": lambda memory: memory[0, 4:],  # of an encoder whose backward states are the last four features
    "last": lambda memory: memory[-1],
}


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("name", INITIAL_STATES)
def test_the_initial_state_comes_from_the_real_steps_of_the_memory(name, cell):
    memory_of_two_directions = TensorSpec((None, 8), "TF")
    x = X.replace(context={"memory": memory_of_two_directions})
    layer = Layer.model_validate({"recurrent_decoder": {"cell": cell, "initial_state": name}})
    decoder, memory = layer.build(x).double(), numbers(3, 4, 8)
    state = decoder._start(memory, MEMORY_MASK)
    for i, real in enumerate(MEMORY_MASK):
        expected = start(decoder, memory[i][real], INITIAL_STATES[name])
        found = [part[:, i] for part in (state if isinstance(state, tuple) else (state,))]
        wanted = [part[:, 0] for part in (expected if isinstance(expected, tuple) else (expected,))]
        assert all(torch.allclose(a, b) for a, b in zip(found, wanted, strict=True))
    assert layer.cost(x).parameters == sum(p.numel() for p in decoder.parameters())
    decoder(numbers(3, 2, 5), {"memory": memory, "memory_mask": MEMORY_MASK})


def test_backward_states_need_a_memory_of_two_directions():
    with pytest.raises(ShapeError, match="needs a memory of two directions, but its features are 7"):
        Layer.model_validate({"recurrent_decoder": {"initial_state": "backward"}}).shape(X)
