"""Text generation: sampling, filtering of logits, KV caches, beam search, and text that is streamed."""

import itertools
import math

import pytest
import torch

from dlx.decoding.beam_search import beam_search
from dlx.decoding.config import GenerationConfig
from dlx.decoding.logits import process_logits, sample_tokens, warp_logits
from dlx.decoding.sampling import generate, generate_tokens
from dlx.decoding.stepwise import StepwiseDecoder
from dlx.decoding.text_stream import stop_before, stream_text
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


def forward_of(module):
    return lambda new_BT, cache: apply(module, new_BT, {"cache": cache})


def markov(table_VV):
    """A network that knows nothing but the last token."""
    return lambda new_BT, cache: table_VV[new_BT]


def tokens(generated):
    return torch.stack(list(generated), 1)


@pytest.mark.parametrize("name", MODELS)
def test_cached_and_uncached_logits_agree(name):
    module = network(name)
    text_BT = torch.randint(FIRST, WORDS, (3, 12), generator=torch.Generator().manual_seed(0))
    decode, cut = StepwiseDecoder(forward_of(module)), [0, 5, 6, 7, 11, 12]
    with torch.no_grad():
        for begin, end in itertools.pairwise(cut):
            cached_BV = decode(text_BT[:, begin:end])
            torch.testing.assert_close(cached_BV, apply(module, text_BT[:, :end], {})[:, -1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_generation_with_a_cache_is_reading_the_whole_text_again(name):
    module = network(name)
    prompt_BT = torch.tensor([[4, 5, 6], [7, 8, 4]])
    generated_BT = tokens(
        generate_tokens(
            StepwiseDecoder(forward_of(module)), prompt_BT, GenerationConfig(temperature=0, max_new_tokens=10), [0, 1]
        )
    )
    whole_BT = prompt_BT
    for t in range(10):
        with torch.no_grad():
            next_B = process_logits(apply(module, whole_BT, {})[:, -1], whole_BT, 1.0).argmax(1)
        assert torch.equal(generated_BT[:, t], next_B)
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
    decode = StepwiseDecoder(forward_of(module))
    with torch.no_grad():
        for length in range(12):
            steps.clear()
            with FlopCounterMode(display=False) as counter:
                decode(torch.tensor([[4 + length % 5]]))
            assert set(steps) == {1}
            costs.append(counter.get_total_flops())
    growth = {after - before for before, after in itertools.pairwise(costs)}
    assert growth == {2 * 2 * 8}  # a query with one more key, and one more value: 8 features each


def test_the_context_length_is_kept_and_the_newer_half_stays():
    seen = []

    def run(new_BT, cache):
        seen.append((cache.length, new_BT[0].tolist()))
        return torch.zeros(len(new_BT), new_BT.shape[1], WORDS)

    decode = StepwiseDecoder(run, context_length=4)
    decode(torch.tensor([[4, 5, 6, 7, 8, 4]]))
    for token in (5, 6, 7, 8):
        decode(torch.tensor([[token]]))
    assert seen == [(0, [6, 7, 8, 4]), (0, [4, 5]), (2, [6]), (3, [7]), (0, [7, 8])]


def test_sampling_follows_the_probabilities_and_the_seed():
    table_VV = torch.randn(WORDS, WORDS, generator=torch.Generator().manual_seed(1))
    config = GenerationConfig(max_new_tokens=1, temperature=0.7)
    n = 4000
    drawn = tokens(generate_tokens(StepwiseDecoder(markov(table_VV)), torch.full((n, 1), 5), config, range(n)))[:, 0]
    wanted_V = (process_logits(table_VV[5:6], torch.tensor([[5]]), 1.0) / 0.7).softmax(1)[0]
    found_V = torch.bincount(drawn, minlength=WORDS) / n
    assert (found_V - wanted_V).abs().max() < 4 * math.sqrt(0.25 / n)
    assert not found_V[:3].any()


def test_the_same_seed_generates_the_same_whatever_is_beside_it():
    table_VV = torch.randn(WORDS, WORDS, generator=torch.Generator().manual_seed(1))
    config = GenerationConfig(max_new_tokens=30)

    def run(seeds):
        return tokens(generate_tokens(StepwiseDecoder(markov(table_VV)), torch.full((len(seeds), 1), 5), config, seeds))

    together = run([7, 8, 9])
    torch.manual_seed(123)
    assert torch.equal(run([8])[0], together[1])
    assert not torch.equal(together[0], together[1])


def test_top_k_top_p_and_temperature():
    logits_BV = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    given = {"top_k": 2}, {"top_p": 0.5}, {"top_p": 0.7}, {"top_p": 0.71}, {"temperature": 0.5}
    found = [warp_logits(logits_BV, GenerationConfig(**options)).softmax(1)[0] for options in given]
    wanted = [
        [0, 0, 3 / 7, 4 / 7],
        [0, 0, 3 / 7, 4 / 7],  # 0.4 alone is not half
        [0, 0, 3 / 7, 4 / 7],
        [0, 2 / 9, 3 / 9, 4 / 9],
        [1 / 30, 4 / 30, 9 / 30, 16 / 30],
    ]
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, torch.tensor(other), rtol=1e-4, atol=1e-6)


def test_tokens_without_probability_are_never_sampled():
    logits_BV = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]]).log()
    generator = torch.Generator().manual_seed(0)
    assert {sample_tokens(logits_BV, [generator]).item() for _ in range(200)} == {1, 3}


def test_repetition_is_penalized_for_what_is_in_the_text():
    logits_BV = torch.tensor([[0.0, 0.0, 0.0, 0.0, 2.0, -2.0, 2.0, -2.0]])
    assert process_logits(logits_BV, torch.tensor([[4, 5, 4]]), 2.0)[0, 4:].tolist() == [1.0, -4.0, 2.0, -2.0]
    assert (logits_BV[0, 4:] == torch.tensor([2.0, -2.0, 2.0, -2.0])).all()
    table_VV = torch.zeros(WORDS, WORDS)
    table_VV[:, 6], table_VV[:, 7] = 2.0, 1.9
    config = GenerationConfig(temperature=0, max_new_tokens=4, repetition_penalty=1.5)
    generated = tokens(generate_tokens(StepwiseDecoder(markov(table_VV)), torch.tensor([[5]]), config, [0]))[0].tolist()
    assert generated == [6, 7, 6, 6]


def best_of_all(table_VV, first, most, alpha):
    """Every text that ends within so many tokens, scored one by one."""
    log_VV = process_logits(table_VV, torch.zeros(WORDS, 1, dtype=torch.long), 1.0).log_softmax(1)
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
    config = GenerationConfig(num_beams=200, max_new_tokens=4, length_penalty=alpha)
    found = beam_search(StepwiseDecoder(markov(table_VV)), torch.tensor([[5], [7]]), config)
    assert found == [best_of_all(table_VV, first, 4, alpha) for first in (5, 7)]


def test_a_narrow_beam_goes_on_while_a_text_may_still_become_the_best():
    """From 5: p([]) = 0.3, p([6]) = 0.21 and p([6, 7]) = 0.49, which ends after both places are taken."""
    table_VV = torch.full((WORDS, WORDS), -30.0)
    for a, b, p in ((5, EOS, 0.3), (5, 6, 0.7), (6, EOS, 0.3), (6, 7, 0.7), (7, EOS, 1.0), (8, EOS, 0.9), (8, 7, 0.1)):
        table_VV[a, b] = math.log(p)
    config = GenerationConfig(num_beams=2, max_new_tokens=6, length_penalty=0)
    assert beam_search(StepwiseDecoder(markov(table_VV)), torch.tensor([[8], [5]]), config) == [[], [6, 7]]


def test_a_beam_goes_on_from_the_caches_of_its_texts():
    """With a network that remembers: each text's probability is what reading it whole gives."""
    module = network("gpt")
    config = GenerationConfig(num_beams=3, max_new_tokens=5, length_penalty=0)
    prompt_BT = torch.tensor([[4, 5], [8, 8]])
    for prompt_1T, found in zip(
        prompt_BT, beam_search(StepwiseDecoder(forward_of(module)), prompt_BT, config), strict=True
    ):
        assert found == beam_search(StepwiseDecoder(uncached(module)), prompt_1T[None], config)[0]


def uncached(module):
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
    options = {"temperature": 0, "max_new_tokens": 6}
    assert generate(StepwiseDecoder(markov(table_VV)), torch.tensor([[5], [8]]), GenerationConfig(**options)) == [
        [6, 7],
        [8] * 6,
    ]
    assert generate(
        StepwiseDecoder(markov(table_VV)), torch.tensor([[5]]), GenerationConfig(num_beams=2, max_new_tokens=6)
    ) == [[6, 7]]


def test_beam_search_samples_nothing():
    with pytest.raises(ValueError, match="beam search samples nothing: leave out top_k"):
        GenerationConfig(num_beams=2, top_k=3)


# -- text --------------------------------------------------------------------------------------------------------------


BPE, WORDPIECE = {"bpe": {"vocab_size": 300}}, {"wordpiece": {"vocab_size": 60}}


@pytest.mark.parametrize("name", ["char", "byte", "word", BPE, WORDPIECE], ids=str)
def test_the_stream_is_the_text_that_the_tokens_make(name, tmp_path):
    text = "To be, or not to be: daß ist die Frage — naïve 問題. To be!"
    codec = Tokenizer.model_validate(name).train([text] * 3, tmp_path)
    ids = codec.encode([text])[0].tolist()
    for cut in (0, 1, len(ids) // 2):
        pieces = list(stream_text(codec, ids[:cut], [*ids[cut:], EOS, *ids]))
        assert codec.decode(ids[:cut]).rstrip("\ufffd") + "".join(pieces) == codec.decode(ids)
        assert len(pieces) > (len(ids) - cut) / 4 and "\ufffd" not in "".join(pieces)


def test_a_stop_string_ends_the_text_wherever_its_pieces_are_cut():
    text = "one two STOP three"
    for size in range(1, 8):
        cut = [text[i : i + size] for i in range(0, len(text), size)]
        assert "".join(stop_before(cut, ["STOP", "STOPPED"])) == "one two "
        assert "".join(stop_before(cut, ["ST op"])) == text
    assert list(stop_before(["a", "b"], []))[:2] == ["a", "b"]
