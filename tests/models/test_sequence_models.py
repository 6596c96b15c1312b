"""Models of sequences: published counts, equal modules written by hand, padding, and stepwise decoding."""

import pytest
import torch
from torch import nn

from dlx.errors import ShapeError
from dlx.models import Model, initialize
from dlx.nn.context import Cache
from dlx.tensors import TensorSpec

TOKENS = TensorSpec((None,), "T", "int64", vocab=(20,))
SERIES = TensorSpec((None, 4), "TF")
PAIR = {"source": TOKENS, "target": TOKENS.replace(vocab=(30,))}
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1]]).bool()
OUTPUTS = ("last", "mean", "max", "attention", "steps")
READERS = [
    *({"type": kind, "hidden": 6, "bidirectional": True, "output": o} for kind in ("rnn", "gru") for o in OUTPUTS),
    {"type": "lstm", "hidden": 6, "num_layers": 2, "peepholes": True},
    {"type": "text_cnn", "channels": 5},
    *({"type": "tcn", "channels": [5, 6], "kernel": 3, "output": o} for o in OUTPUTS),
]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def tree(spelling, x):
    return Model.model_validate(spelling).tree(x)


def built(spelling, x):
    return tree(spelling, x).build(x).double().eval()


def parameters(spelling, x):
    layers = tree(spelling, x)
    count = layers.cost(x).parameters
    assert count == sum(p.numel() for p in layers.build(x).parameters())
    return count


@pytest.mark.parametrize("spelling", READERS, ids=str)
def test_padding_never_changes_a_result(spelling):
    network, x = built(spelling, TOKENS), torch.randint(20, (3, 6))
    y = network(x, {"mask": MASK})
    for i, real in enumerate(MASK):
        alone = network(x[i : i + 1, real])[0]
        assert torch.allclose(y[i, real] if spelling.get("output") == "steps" else y[i], alone)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_recurrent_model_is_torchs_module_between_table_and_pool(kind):
    network = built({"type": kind, "hidden": 6, "num_layers": 2, "embedding_dim": 5, "output": "mean"}, TOKENS)
    table, cells, _ = network
    core = getattr(nn, kind.upper())(5, 6, 2, batch_first=True).double()
    core.load_state_dict(cells.core.state_dict())
    x = torch.randint(20, (3, 7))
    assert torch.allclose(network(x), core(table.state_dict()["weight"][x])[0].mean(1))


def test_a_gray_image_is_read_row_by_row():
    image = TensorSpec((1, 28, 20), "CHW")
    network, x = built({"type": "gru", "hidden": 6}, image), torch.randn(2, 1, 28, 20).double()
    core = nn.GRU(20, 6, batch_first=True).double()
    core.load_state_dict(network[1].core.state_dict())
    assert torch.allclose(network(x), core(x[:, 0])[0][:, -1])
    with pytest.raises(ShapeError, match="one channel"):
        tree("gru", TensorSpec((3, 28, 28), "CHW"))


def test_text_cnn_has_the_papers_filters_and_answers_a_single_word():
    assert parameters("text_cnn", TOKENS) == 20 * 300 + (3 + 4 + 5) * 300 * 100 + 300
    network, x = built("text_cnn", TOKENS), torch.tensor([[3]])
    vector = network[0](x)[0, 0]
    filters = [branch[0].conv for branch in network[1].children()]
    expected = torch.cat([torch.relu(f.weight[:, :, -1] @ vector + f.bias) for f in filters])
    assert torch.allclose(network(x)[0], expected)


def test_text_cnn_is_the_strongest_response_of_every_filter():
    network, x = built({"type": "text_cnn", "kernels": [2], "channels": 4}, TOKENS), torch.randint(20, (1, 8))
    vectors, conv = network[0](x)[0], next(network[1].children())[0].conv
    padded = torch.cat([torch.zeros_like(vectors[:1]), vectors])
    windows = [torch.einsum("ofk,kf->o", conv.weight, padded[t : t + 2]) + conv.bias for t in range(8)]
    assert torch.allclose(network(x)[0], torch.relu(torch.stack(windows)).amax(0))


def test_tcn_of_sequential_mnist_has_about_the_papers_70k_parameters():
    pixels = TensorSpec((784, 1), "TF")
    head = 25 * 10 + 10
    first = (25 * 7 + 50) + (25 * 25 * 7 + 50) + (25 + 25)  # with the projection of the shortcut
    assert parameters("tcn", pixels) == first + 7 * 2 * (25 * 25 * 7 + 50)
    assert parameters("tcn", pixels) + head == pytest.approx(70_000, rel=0.05)


def test_tcn_sees_exactly_its_reach():
    network = built({"type": "tcn", "channels": [4, 4, 4], "kernel": 3, "activation": "tanh"}, SERIES)
    reach = 1 + 2 * (3 - 1) * (2**3 - 1)
    x = torch.randn(1, reach + 3, 4).double().requires_grad_()
    network(x).sum().backward()
    seen = x.grad.abs().sum((0, 2)) > 0
    assert seen.tolist() == [False] * 3 + [True] * reach


S2S = [
    {"type": "seq2seq", "embedding_dim": 5, "cell": {"lstm": 6}, "attention": "luong", "dropout": 0.3},
    {"type": "seq2seq", "embedding_dim": 5, "cell": {"gru": {"hidden": 6, "num_layers": 2}}, "encoder": {"rnn": 4}},
    {"type": "seq2seq", "embedding_dim": 5, "share_embeddings": True},
    {"type": "seq2seq", "embedding_dim": 5, "initial_state": "backward"},
]


@pytest.mark.parametrize("spelling", S2S, ids=str)
def test_seq2seq_decodes_step_by_step_what_it_gives_to_the_whole_target(spelling):
    network = built(spelling, PAIR)
    source, target = torch.randint(20, (3, 6)), torch.randint(20, (3, 5))
    whole = network({"source": source, "target": target}, {"memory_mask": MASK})
    cache = Cache()
    for t in range(5):
        scope = {"cache": cache, "memory_mask": MASK}
        step = network({"source": source, "target": target[:, t : t + 1]}, scope)
        cache.advance(1)
        assert torch.allclose(step[:, 0], whole[:, t])


@pytest.mark.parametrize("spelling", S2S, ids=str)
def test_seq2seq_does_not_see_padding_nor_the_targets_future(spelling):
    network = built(spelling, PAIR)
    source, target = torch.randint(20, (3, 6)), torch.randint(20, (3, 6))
    y = network({"source": source, "target": target}, {"memory_mask": MASK, "mask": MASK})
    for i, real in enumerate(MASK):
        alone = network({"source": source[i : i + 1, real], "target": target[i : i + 1, real]})[0]
        assert torch.allclose(y[i, real], alone)
    later = torch.cat([target[:, :4], torch.randint(20, (3, 2))], 1)
    changed = network({"source": source, "target": later}, {"memory_mask": MASK})
    assert torch.allclose(changed[:, :4], network({"source": source, "target": target}, {"memory_mask": MASK})[:, :4])


def test_seq2seq_shares_its_table_on_demand():
    apart, shared = (parameters({**S2S[2], "share_embeddings": s}, PAIR) for s in (False, True))
    assert apart - shared == 20 * 5
    with pytest.raises(ShapeError, match="reads the fields source and target, but gets source"):
        tree("seq2seq", {"source": TOKENS})


def test_an_initializer_reaches_through_weight_norm():
    network = initialized({"type": "tcn", "channels": [40], "init": "kaiming_normal"}, TensorSpec((None, 30), "TF"))
    conv = network[0].layers[0].conv
    assert conv.weight.std().item() == pytest.approx((2 / (30 * 7)) ** 0.5, rel=0.05)
    assert (conv.bias == 0).all()


def test_an_initializer_fills_each_gate_by_itself_and_keeps_the_forget_bias():
    core = initialized({"type": "lstm", "hidden": 4, "init": "orthogonal", "forget_bias": 2.0}, SERIES)[0].core
    for gate in (*core.weight_ih_l0.split(4), *core.weight_hh_l0.split(4)):
        assert torch.allclose(gate @ gate.T, torch.eye(4), atol=1e-6)
    assert (core.bias_ih_l0[4:8] == 2).all()


def initialized(spelling, x):
    model = Model.model_validate(spelling)
    layers = model.tree(x)
    network = layers.build(x)
    initialize(network, layers, x, model.init)
    return network
