"""Writing token after token: what is chosen, what a cache saves, and what a beam finds."""

import itertools
import math

import pytest
import torch
from dlx.decoding.detokenize import pieces, until
from dlx.decoding.options import Decoding
from dlx.decoding.search import Reader, allowed, draw, probabilities, search, write, write_whole

from dlx.layers import Layer
from dlx.models import Model
from dlx.nn.context import apply
from dlx.nn.protocols import AttentionWeights
from dlx.tensors import TensorSpec
from dlx.tokenizers import EOS, Tokenizer

WORDS = 9
FIRST = 4  # ids before it are special
X = TensorSpec((16,), "T", "int64", (WORDS,))
MODELS = {
    "gpt": {"gpt": {"features": 8, "num_layers": 2, "num_heads": 2}},
    "rotary": {
        "gpt": {"features": 8, "num_layers": 1, "num_heads": 2, "position_embedding": "rope", "norm": "rms_norm"}
    },
    "lstm": {"lstm": {"embedding_dim": 8, "hidden": 8, "num_layers": 2, "output": "steps"}},
    "gru": {"gru": {"embedding_dim": 8, "hidden": 8, "output": "steps"}},
}


def network(name):
    torch.manual_seed(3)
    model = Model.model_validate(MODELS[name])
    tree = model.tree(X) if model.has_head else Layer.model_validate([model.tree(X), {"linear": WORDS}])
    return tree.build(X).eval()


def running(module):
    return lambda new_BT, cache: apply(module, new_BT, {"cache": cache})


def markov(table_VV):
    """A network that knows nothing but the last token."""
    return lambda new_BT, cache: table_VV[new_BT]


def tokens(written):
    return torch.stack(list(written), 1)


@pytest.mark.parametrize("name", MODELS)
def test_cached_and_uncached_scores_agree(name):
    module = network(name)
    text_BT = torch.randint(FIRST, WORDS, (3, 12), generator=torch.Generator().manual_seed(0))
    read, cut = Reader(running(module)), [0, 5, 6, 7, 11, 12]
    with torch.no_grad():
        for begin, end in itertools.pairwise(cut):
            cached_BV = read(text_BT[:, begin:end])
            torch.testing.assert_close(cached_BV, apply(module, text_BT[:, :end], {})[:, -1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_writing_with_a_cache_is_reading_the_whole_text_again(name):
    module = network(name)
    prompt_BT = torch.tensor([[4, 5, 6], [7, 8, 4]])
    written_BT = tokens(write(Reader(running(module)), prompt_BT, Decoding(temperature=0, max_new_tokens=10), [0, 1]))
    whole_BT = prompt_BT
    for t in range(10):
        with torch.no_grad():
            next_B = allowed(apply(module, whole_BT, {})[:, -1], whole_BT, 1.0).argmax(1)
        assert torch.equal(written_BT[:, t], next_B)
        whole_BT = torch.cat([whole_BT, next_B[:, None]], 1)


def test_a_new_token_costs_the_same_however_long_the_text_is():
    """Counted by the steps that linear layers see, and by multiply-adds, of which attention alone needs more."""
    from torch.utils.flop_counter import FlopCounterMode

    module, steps, costs = network("rotary"), [], []
    for layer in module.modules():
        if isinstance(layer, AttentionWeights):
            layer.store_attention = True  # the counter knows no fused attention
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_hook(lambda layer, x, y: steps.append(x[0].shape[1]))
    read = Reader(running(module))
    with torch.no_grad():
        for length in range(12):
            steps.clear()
            with FlopCounterMode(display=False) as counter:
                read(torch.tensor([[4 + length % 5]]))
            assert set(steps) == {1}
            costs.append(counter.get_total_flops())
    growth = {after - before for before, after in itertools.pairwise(costs)}
    assert growth == {2 * 2 * 8}  # a query with one more key, and one more value: 8 features each


def test_the_window_is_never_left_and_the_newer_half_stays():
    seen = []

    def run(new_BT, cache):
        seen.append((cache.length, new_BT[0].tolist()))
        return torch.zeros(len(new_BT), new_BT.shape[1], WORDS)

    read = Reader(run, window=4)
    read(torch.tensor([[4, 5, 6, 7, 8, 4]]))
    for token in (5, 6, 7, 8):
        read(torch.tensor([[token]]))
    assert seen == [(0, [6, 7, 8, 4]), (0, [4, 5]), (2, [6]), (3, [7]), (0, [7, 8])]


def test_drawing_follows_the_probabilities_and_the_seed():
    table_VV = torch.randn(WORDS, WORDS, generator=torch.Generator().manual_seed(1))
    how = Decoding(max_new_tokens=1, temperature=0.7)
    n = 4000
    drawn = tokens(write(Reader(markov(table_VV)), torch.full((n, 1), 5), how, range(n)))[:, 0]
    wanted_V = (allowed(table_VV[5:6], torch.tensor([[5]]), 1.0) / 0.7).softmax(1)[0]
    found_V = torch.bincount(drawn, minlength=WORDS) / n
    assert (found_V - wanted_V).abs().max() < 4 * math.sqrt(0.25 / n)
    assert not found_V[:3].any()


def test_the_same_seed_writes_the_same_whatever_is_written_beside_it():
    table_VV = torch.randn(WORDS, WORDS, generator=torch.Generator().manual_seed(1))
    how = Decoding(max_new_tokens=30)

    def run(seeds):
        return tokens(write(Reader(markov(table_VV)), torch.full((len(seeds), 1), 5), how, seeds))

    together = run([7, 8, 9])
    torch.manual_seed(123)
    assert torch.equal(run([8])[0], together[1])
    assert not torch.equal(together[0], together[1])


def test_top_k_top_p_and_temperature():
    scores_BV = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    given = {"top_k": 2}, {"top_p": 0.5}, {"top_p": 0.7}, {"top_p": 0.71}, {"temperature": 0.5}
    found = [probabilities(scores_BV, Decoding(**how))[0] for how in given]
    wanted = [
        [0, 0, 3 / 7, 4 / 7],
        [0, 0, 3 / 7, 4 / 7],  # 0.4 alone is not half
        [0, 0, 3 / 7, 4 / 7],
        [0, 2 / 9, 3 / 9, 4 / 9],
        [1 / 30, 4 / 30, 9 / 30, 16 / 30],
    ]
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, torch.tensor(other), rtol=1e-4, atol=1e-6)


def test_draws_stay_within_what_is_probable():
    share_BV = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]])
    generator = torch.Generator().manual_seed(0)
    assert {draw(share_BV, [generator]).item() for _ in range(200)} == {1, 3}


def test_repetition_is_penalized_for_what_is_in_the_text():
    scores_BV = torch.tensor([[0.0, 0.0, 0.0, 0.0, 2.0, -2.0, 2.0, -2.0]])
    assert allowed(scores_BV, torch.tensor([[4, 5, 4]]), 2.0)[0, 4:].tolist() == [1.0, -4.0, 2.0, -2.0]
    assert (scores_BV[0, 4:] == torch.tensor([2.0, -2.0, 2.0, -2.0])).all()
    table_VV = torch.zeros(WORDS, WORDS)
    table_VV[:, 6], table_VV[:, 7] = 2.0, 1.9
    how = Decoding(temperature=0, max_new_tokens=4, repetition_penalty=1.5)
    written = tokens(write(Reader(markov(table_VV)), torch.tensor([[5]]), how, [0]))[0].tolist()
    assert written == [6, 7, 6, 6]


def best_of_all(table_VV, first, most, alpha):
    """Every text that ends within so many tokens, judged one by one."""
    log_VV = allowed(table_VV, torch.zeros(WORDS, 1, dtype=torch.long), 1.0).log_softmax(1)
    best = []
    for length in range(1, most + 1):
        for inner in itertools.product(range(FIRST, WORDS), repeat=length - 1):
            path = [first, *inner, EOS]
            log = sum(log_VV[a, b].item() for a, b in itertools.pairwise(path))
            best.append((log / ((5 + length) / 6) ** alpha, list(inner)))
    return max(best)[1]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_the_best_text_of_all(alpha, seed):
    table_VV = 2 * torch.randn(WORDS, WORDS, generator=torch.Generator().manual_seed(seed))
    table_VV[:, EOS] -= 1
    how = Decoding(num_beams=200, max_new_tokens=4, length_penalty=alpha)
    found = search(Reader(markov(table_VV)), torch.tensor([[5], [7]]), how)
    assert found == [best_of_all(table_VV, first, 4, alpha) for first in (5, 7)]


def test_a_beam_goes_on_from_the_caches_of_its_texts():
    """With a network that remembers: each text's probability is what reading it whole gives."""
    module = network("gpt")
    how = Decoding(num_beams=3, max_new_tokens=5, length_penalty=0)
    prompt_BT = torch.tensor([[4, 5], [8, 8]])
    for prompt_1T, found in zip(prompt_BT, search(Reader(running(module)), prompt_BT, how), strict=True):
        assert found == search(Reader(anew(module)), prompt_1T[None], how)[0]


def anew(module):
    """The same network, which remembers the text alone and reads all of it again at every step."""

    def run(new_BT, cache):
        kept = cache.of(module)
        kept["text"] = torch.cat([kept["text"], new_BT], 1) if kept else new_BT
        return apply(module, kept["text"], {})

    return run


def test_whole_texts_end_before_the_end_token():
    table_VV = torch.full((WORDS, WORDS), -9.0)
    for a, b in ((5, 6), (6, 7), (7, EOS), (8, 8)):
        table_VV[a, b] = 9.0
    how = {"temperature": 0, "max_new_tokens": 6}
    assert write_whole(Reader(markov(table_VV)), torch.tensor([[5], [8]]), Decoding(**how)) == [[6, 7], [8] * 6]
    assert write_whole(Reader(markov(table_VV)), torch.tensor([[5]]), Decoding(num_beams=2, max_new_tokens=6)) == [
        [6, 7]
    ]


def test_a_beam_draws_nothing():
    with pytest.raises(ValueError, match="a beam draws nothing: leave out top_k"):
        Decoding(num_beams=2, top_k=3)


# -- text --------------------------------------------------------------------------------------------------------------


BPE, WORDPIECE = {"bpe": {"vocab_size": 300}}, {"wordpiece": {"vocab_size": 60}}


@pytest.mark.parametrize("name", ["char", "byte", "word", BPE, WORDPIECE], ids=str)
def test_pieces_are_the_text_that_the_tokens_make(name, tmp_path):
    text = "To be, or not to be: daß ist die Frage — naïve 問題. To be!"
    codec = Tokenizer.model_validate(name).train([text] * 3, tmp_path)
    ids = codec.encode([text])[0].tolist()
    for cut in (0, 1, len(ids) // 2):
        said = list(pieces(codec, ids[:cut], [*ids[cut:], EOS, *ids]))
        assert codec.decode(ids[:cut]).rstrip("\ufffd") + "".join(said) == codec.decode(ids)
        assert len(said) > (len(ids) - cut) / 4 and "\ufffd" not in "".join(said)


def test_a_stop_ends_the_text_wherever_its_pieces_are_cut():
    text = "one two STOP three"
    for size in range(1, 8):
        cut = [text[i : i + size] for i in range(0, len(text), size)]
        assert "".join(until(cut, ["STOP", "STOPPED"])) == "one two "
        assert "".join(until(cut, ["ST op"])) == text
    assert list(until(["a", "b"], []))[:2] == ["a", "b"]
