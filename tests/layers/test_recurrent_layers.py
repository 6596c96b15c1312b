"""Recurrent layers against torch's own modules, against a loop written by hand, and against padding."""

import itertools

import pytest
import torch
from torch import nn

from dlx.layers import Layer
from dlx.nn.context import Cache
from dlx.nn.gradient_norms import gradient_norms_by_step
from dlx.tensors import TensorSpec

X = TensorSpec((None, 5), "TF")
TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
PEEPHOLES = {"type": "lstm", "hidden": 4, "num_layers": 2, "peepholes": True}
KINDS = [
    *({"type": name, "hidden": 4, "num_layers": n} for name, n in itertools.product(TORCH, (1, 2))),
    {"type": "rnn", "hidden": 4, "nonlinearity": "relu", "bias": False},
    PEEPHOLES,
]
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 0]]).bool()


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def make(spec, **changes):
    return Layer.model_validate({**spec, **changes} if changes else spec).build(X).double()


def numbers(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", TORCH)
def test_states_are_those_of_torch(name, bidirectional):
    module = make({"type": name, "hidden": 4, "num_layers": 2, "bidirectional": bidirectional})
    twin = TORCH[name](5, 4, 2, batch_first=True, bidirectional=bidirectional).double()
    twin.load_state_dict(module.core.state_dict())
    x = numbers(3, 7, 5)
    y, state = twin(x)
    assert torch.allclose(module(x), y)
    final = state[0] if name == "lstm" else state
    ends = final[-2:] if bidirectional else final[-1:]
    module.last = True
    assert torch.allclose(module(x), torch.cat(list(ends), -1))


@pytest.mark.parametrize("output", ["steps", "last"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("spec", KINDS, ids=str)
def test_padding_anywhere_never_changes_a_result(spec, bidirectional, output):
    module = make(spec, bidirectional=bidirectional, output=output)
    x = numbers(4, 6, 5)
    y = module(x, {"mask": MASK})
    for i, real in enumerate(MASK):
        alone = module(x[i : i + 1, real])[0]
        assert torch.allclose(y[i, real] if output == "steps" else y[i], alone)
    if output == "steps":
        assert (y[~MASK] == 0).all()
    other = torch.where(MASK[..., None], x, numbers(4, 6, 5))
    assert torch.equal(module(other, {"mask": MASK}), y)


@pytest.mark.parametrize("output", ["steps", "last"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_sample_without_real_steps_gives_zeros(output, bidirectional):
    module = make({"type": "lstm", "hidden": 4}, bidirectional=bidirectional, output=output)
    mask = torch.tensor([[True] * 3, [False] * 3])
    assert (module(numbers(2, 3, 5), {"mask": mask})[1] == 0).all()


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4, 5), (2,), (4, 5)], ids=str)
@pytest.mark.parametrize("spec", KINDS, ids=str)
def test_going_on_from_a_cache_gives_what_the_whole_sequence_gives(spec, cuts):
    module, x = make(spec), numbers(4, 6, 5)
    for mask in (None, MASK):
        cache = Cache()
        parts = []
        for start, end in itertools.pairwise((0, *cuts, 6)):
            context = {"cache": cache, **({} if mask is None else {"mask": mask[:, start:end]})}
            parts.append(module(x[:, start:end], context))
            cache.advance(end - start)
        assert torch.allclose(torch.cat(parts, 1), module(x, {} if mask is None else {"mask": mask}))


def test_a_beam_goes_on_from_the_row_that_it_is_told():
    module, x, index = make({"type": "lstm", "hidden": 4, "num_layers": 2}), numbers(3, 4, 5), torch.tensor([2, 0, 2])
    cache = Cache()
    module(x[:, :3], {"cache": cache})
    cache.reorder(index)
    y = module(x[:, 3:], {"cache": cache})
    whole = torch.cat([x[index, :3], x[:, 3:]], 1)
    assert torch.allclose(y[:, 0], module(whole)[:, -1])


def test_a_bidirectional_layer_refuses_to_go_step_by_step():
    with pytest.raises(ValueError, match="whole sequence"):
        make({"type": "gru", "hidden": 4, "bidirectional": True})(numbers(1, 2, 5), {"cache": Cache()})


def test_dropout_acts_between_layers_in_training_only():
    module, x = make({"type": "lstm", "hidden": 64, "num_layers": 2, "dropout": 0.5}), numbers(2, 3, 5)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))
    with pytest.raises(ValueError, match="between layers"):
        Layer.model_validate({"lstm": {"hidden": 3, "dropout": 0.5}})


def peephole_by_hand(weights, x):
    """One layer, forward, element by element as Gers & Schmidhuber write it."""
    w, u, b, c_b, p = (weights[k] for k in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "peephole_l0"))
    h = c = torch.zeros(4, dtype=torch.float64)
    outputs = []
    for step in x:
        i, f, g, o = (w @ step + u @ h + b + c_b).view(4, 4)
        i, f = torch.sigmoid(i + p[0] * c), torch.sigmoid(f + p[1] * c)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o + p[2] * c) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs)


def test_peepholes_are_those_of_a_loop_by_hand():
    module, x = make(PEEPHOLES, num_layers=1), numbers(2, 6, 5)
    expected = torch.stack([peephole_by_hand(module.core.state_dict(), sample) for sample in x])
    assert torch.allclose(module(x), expected)


def test_closed_peepholes_leave_torchs_lstm():
    module, x = make(PEEPHOLES, bidirectional=True), numbers(2, 6, 5)
    twin = nn.LSTM(5, 4, 2, batch_first=True, bidirectional=True).double()
    twin.load_state_dict({k: v for k, v in module.core.state_dict().items() if "peephole" not in k})
    assert not torch.allclose(module(x), twin(x)[0])
    for name, parameter in module.core.named_parameters():
        if "peephole" in name:
            nn.init.zeros_(parameter)
    assert torch.allclose(module(x), twin(x)[0])


def test_gradients_through_peepholes_and_padding_are_those_of_finite_differences():
    module = make(PEEPHOLES, bidirectional=True, hidden=2)
    x = numbers(4, 6, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: module(x, {"mask": MASK}), x)


@pytest.mark.parametrize("peepholes", [False, True])
def test_forget_gates_start_where_they_are_told(peepholes):
    core = make({"type": "lstm", "hidden": 4, "num_layers": 2, "forget_bias": 1.5}, peepholes=peepholes).core
    for layer in ("l0", "l1"):
        total = getattr(core, f"bias_ih_{layer}") + getattr(core, f"bias_hh_{layer}")
        assert (total[4:8] == 1.5).all() and (total[:4] != 1.5).all()
    with pytest.raises(ValueError, match="needs bias"):
        Layer.model_validate({"lstm": {"hidden": 4, "bias": False, "forget_bias": 1.0}})


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("spec", KINDS, ids=str)
def test_parameters_and_multiply_adds_are_counted(spec, bidirectional):
    layer = Layer.model_validate({**spec, "bidirectional": bidirectional})
    x = TensorSpec((7, 5), "TF")
    core = layer.build(x).core
    assert layer.cost(x).parameters == sum(p.numel() for p in core.parameters())
    matrices = sum(p.numel() for name, p in core.named_parameters() if name.startswith("weight"))
    assert layer.cost(x).macs == 7 * matrices


def test_gradient_norms_by_step_are_those_of_a_loop_by_hand():
    net, x, y = make([{"rnn": {"hidden": 4, "output": "last"}}, {"linear": 1}]), numbers(3, 6, 5), numbers(3, 1)
    norms = gradient_norms_by_step(net, lambda: (net(x) - y).square().mean())
    core, states = net[0].core, [torch.zeros(3, 4, dtype=torch.float64)]
    for t in range(6):
        inner = x[:, t] @ core.weight_ih_l0.T + states[-1] @ core.weight_hh_l0.T + core.bias_ih_l0 + core.bias_hh_l0
        states.append(torch.tanh(inner))
    each = (net[1](states[-1]) - y).square()[:, 0]
    expected = [torch.autograd.grad(each.sum(), s, retain_graph=True)[0].norm(dim=1).mean() for s in states[1:]]
    assert torch.allclose(norms["0"], torch.stack(expected))
    assert all(p.grad is None for p in net.parameters())


def test_an_open_forget_gate_lets_gradients_pass_that_vanish_in_a_simple_network():
    x = numbers(8, 60, 5)
    share = {}
    for name, fields in {"rnn": {}, "lstm": {"forget_bias": 8.0}}.items():
        net = make({"type": name, "hidden": 16, "output": "last", **fields})
        norms = gradient_norms_by_step(net, lambda net=net: net(x).square().mean(0).sum())[""]
        assert norms.shape == (60,)
        share[name] = (norms[0] / norms[-1]).item()
    assert share["rnn"] < 1e-6 < 0.1 < share["lstm"]


def test_stacked_layers_and_a_running_hook_leave_the_network_as_it_was():
    net, x = make([{"a": {"lstm": {"hidden": 4, "num_layers": 2}}}, {"b": {"gru": {"hidden": 3}}}]), numbers(2, 6, 5)
    before = net(x)
    norms = gradient_norms_by_step(net, lambda: net(x, {"mask": MASK[:2]}).square().mean())
    assert set(norms) == {"a", "b"} and all((n > 0).sum() > 0 for n in norms.values())
    assert torch.equal(net(x), before)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
@pytest.mark.parametrize("spec", KINDS, ids=str)
def test_what_is_kept_for_the_backward_pass_is_about_what_torch_keeps(spec):
    x, batch, kept = TensorSpec((50, 32), "TF"), 16, {}
    layer = Layer.model_validate({**spec, "hidden": 64})
    module = layer.build(x)
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}

    def keep(t):
        storage = t.untyped_storage()
        kept[storage.data_ptr()] = (storage.nbytes(), t)  # t is held, so that no address is used twice
        return t

    inputs = torch.randn(batch, 50, 32, requires_grad=True)
    with torch.backends.mkldnn.flags(enabled=False), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        module(inputs)
    elements = sum(size for address, (size, _) in kept.items() if address not in own) / 4 / batch
    assert layer.cost(x).activations == pytest.approx(elements, rel=0.15)
