"""Language models and token classes: what is measured, refused, resumed, written; from Python and the command line."""

import json
import math
import string
from dataclasses import replace
from pathlib import Path

import kit
import numpy as np
import pytest
import torch
from kit import Stopper, assert_same_weights, build, cut, is_stopped, make_plan, measure, quiet
from typer.testing import CliRunner

import dlx
from dlx.cli import app
from dlx.decoding.config import read_generation_config
from dlx.engine.inference.generate import stream
from dlx.engine.inference.restore import RestoredRun, restore
from dlx.engine.training.chunks import ChunkLoader
from dlx.engine.training.trainer import build_trainer, silence_lightning
from dlx.errors import RecipeError, RunError, UsageError
from dlx.tasks._base.gradient_accumulation import split

LM = """
name: letters
task: {language_modeling: {sample_tokens: 40, prompt: a}}
data:
  source: {text: {path: text.txt, block_size: 8}}
  split: {val: 0.2, test: 0.1}
model: {gpt: {features: 16, num_layers: 1, num_heads: 2, dropout: 0.1}}
optimizer: {adam: {lr: 0.02}}
train: {epochs: 2, batch_size: 16, log_every_n_steps: 1}
hardware: {accelerator: cpu, num_threads: 1}
"""
TAGS = """
name: tags
task: token_classification
data: {source: {tagged_text: tagged.txt}}
model: {lstm: {embedding_dim: 8, hidden: 8, bidirectional: true, output: steps}}
optimizer: {adam: {lr: 0.02}}
train: {epochs: 12, batch_size: 16}
hardware: {accelerator: cpu, num_threads: 1}
expect: {test/accuracy: ">= 0.99"}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(60 * string.ascii_lowercase)
    words = np.random.default_rng(0).choice(list("abcdefgh"), 900)
    ends = ["\n" if i % 7 == 3 or i % 11 == 2 else "" for i in range(len(words))]
    lines = [f"{w} {'vowel' if w in 'aeiou' else 'consonant'}\n{end}" for w, end in zip(words, ends, strict=True)]
    (tmp_path / "tagged.txt").write_text("".join(lines))
    return tmp_path


def train(text, callbacks=(), **changes):
    return kit.train(text, changes, root=Path("runs").absolute(), callbacks=callbacks)


def built(text, overrides=()):
    plan = make_plan(text, overrides)
    return plan, *build(plan)


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """A model that knows the alphabet."""
    folder = tmp_path_factory.mktemp("letters")
    (folder / "text.txt").write_text(60 * string.ascii_lowercase)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return train(LM, **{"train.epochs": 30, "data.source.stride": 3, "model.dropout": 0.0})


def test_the_measures_of_a_model_without_knowledge_are_those_of_chance():
    plan, module, batches = built(LM, ["data.tokenizer=byte", "task.metrics=[accuracy]"])
    for parameter in module.parameters():
        parameter.data.zero_()
    found = measure(plan, module, batches)
    assert found["test/loss"] == pytest.approx(math.log(260), rel=1e-5)
    assert found["test/perplexity"] == pytest.approx(260, rel=1e-4)
    assert found["test/bits_per_byte"] == found["test/bits_per_character"] == pytest.approx(math.log2(260), rel=1e-4)


def test_bits_per_character_do_not_count_tokens():
    """Two bytes of a letter are one character, whatever cuts them."""
    Path("text.txt").write_text("äöü" * 300)
    plan, module, batches = built(LM, ["data.tokenizer=byte", "data.source.block_size=6", "data.source.stride=6"])
    for parameter in module.parameters():
        parameter.data.zero_()
    found = measure(plan, module, batches)
    assert found["test/loss"] == pytest.approx(math.log(260), rel=1e-4)
    assert found["test/bits_per_byte"] == pytest.approx(math.log2(260), rel=0.03)  # a letter may be cut at each end
    assert found["test/bits_per_character"] == pytest.approx(2 * math.log2(260), rel=0.03)


@pytest.mark.parametrize(
    "model",
    [
        {"lstm": {"hidden": 8, "bidirectional": True, "output": "steps"}},
        {"bert": {"features": 8, "num_layers": 1, "num_heads": 2, "pooler": False}},
    ],
    ids=lambda m: next(iter(m)),
)
def test_a_network_that_looks_ahead_is_refused(model):
    plan, module, batches = built(LM, [f"model={json.dumps(model)}"])
    with silence_lightning(), pytest.raises(RunError, match="looks ahead"):
        build_trainer(plan).fit(module, ChunkLoader(batches["train"], 1))


def test_a_network_of_one_vector_and_other_data_are_refused_at_their_line():
    with pytest.raises(RecipeError) as error:
        train(LM, model={"lstm": {"hidden": 8}})
    assert "output: steps" in error.value.diagnostics[0].message
    with pytest.raises(RecipeError) as error:
        train(LM, **{"data.source": {"sklearn": "iris"}})
    assert "running text" in error.value.diagnostics[0].message


def test_a_language_model_resumes_exactly(folder):
    whole = train(LM)
    with is_stopped():
        train(LM, **{"train.checkpoint_every_n_seconds": 1e-9}, callbacks=[Stopper(7, cut)])
    run = dlx.resume("last", console=quiet())
    assert run.folder != whole.folder
    assert run.metrics == whole.metrics
    assert_same_weights(whole, run)


def test_tokens_of_all_micro_batches_count_the_same(folder):
    """The gradient of a batch of sentences is that of the mean over its tokens, in micro-batches too."""
    _, module, batches = built(TAGS)
    module.double()
    batch = next(b for b in batches["train"] if "target.mask" in b)
    whole = module.loss(batch)
    logits, target = module.loss_output(module.network_output(module.role, batch), batch), module.loss_target(batch)
    assert len(target) == batch["target.mask"].sum()
    assert whole.item() == pytest.approx(torch.nn.functional.cross_entropy(logits, target).item(), rel=1e-6)
    module.learning = replace(module.learning, micro_batches=3)
    parts = split(module.prepare_step(batch), 3)
    shares = [len(part["rows"]) / len(batch["rows"]) for part in parts]
    apart = sum(module.loss(part) * share for part, share in zip(parts, shares, strict=True))
    assert apart.item() == pytest.approx(whole.item(), rel=1e-6)


def test_padding_changes_no_measure_of_token_classes():
    plan, module, batches = built(TAGS)
    with silence_lightning():
        (one,) = build_trainer(plan).test(module, batches["test"], verbose=False)
        batches["test"].size = 1
        (other,) = build_trainer(plan).test(module, batches["test"], verbose=False)
    assert one == pytest.approx(other, rel=1e-5)


def test_token_classes_are_learned_evaluated_and_predicted(folder):
    run = train(TAGS)
    assert run.claims_hold, run.metrics
    assert {p.name for p in run.figures} >= {"confusion_matrix.png", "reliability.png"}
    assert dlx.evaluate(run.folder).metrics == pytest.approx({k: v for k, v in run.metrics.items() if k[:4] == "test"})
    (folder / "new.csv").write_text("text\na b c\nb\nh e\n")
    assert dlx.predict(run.folder, "new.csv").columns["prediction"] == [
        "vowel consonant consonant",
        "consonant",
        "consonant vowel",
    ]


# -- writing -----------------------------------------------------------------------------------------------------------

ALPHABET = 3 * string.ascii_lowercase


def test_a_run_keeps_a_sample_of_what_it_writes(letters):
    assert letters.metrics["val/perplexity"] < 1.2
    sample = next(p for p in letters.figures if p.name == "sample.txt").read_text()
    assert sample.startswith("ab") and len(sample) == 41


def test_the_same_seed_writes_the_same(letters):
    hot = {"temperature": 4.0, "max_new_tokens": 30}
    first, second = dlx.generate(letters.folder, "abc", 2, seed=5, **hot)
    assert first != second
    assert dlx.generate(letters.folder, "abc", seed=6, **hot) == [second]
    assert dlx.generate(letters.folder, "abc", seed=5, **hot) == [first]


@pytest.mark.parametrize("how", [{"temperature": 0}, {"num_beams": 3}, {"top_k": 1}, {"top_p": 0.01}], ids=str)
def test_what_is_most_probable_is_the_alphabet_beyond_the_window(letters, how):
    (text,) = dlx.generate(letters.folder, "hij", max_new_tokens=30, **how)
    assert text == ALPHABET[7:40]


def test_writing_ends_before_a_stop(letters):
    for how in ({"temperature": 0}, {"num_beams": 2}):
        assert dlx.generate(letters.folder, "abc", stop_strings=["klm", "zz"], **how) == ["abcdefghij"]


def test_wrong_options_and_prompts_are_said(letters, folder):
    for options, said in (
        ({"top_k": 0}, "top-k"),
        ({"num_beams": 2, "seed": 1}, "beam search samples nothing"),
        ({"x": 1}, "x"),
    ):
        with pytest.raises(UsageError, match=said):
            dlx.generate(letters.folder, "a", **options)
    with pytest.raises(UsageError, match="never seen in training, after 'ab'"):
        dlx.generate(letters.folder, "ab?")
    plan, module, _ = built(TAGS)
    with pytest.raises(UsageError, match="token_classification does not write"):
        stream(RestoredRun(plan, module, Path(), []), "a", read_generation_config({}))


def test_a_prompt_that_is_nowhere_in_the_text_is_refused_at_its_line():
    with pytest.raises(RecipeError) as error:
        built(LM, ["task.prompt=a?"])
    (found,) = error.value.diagnostics
    assert found.path == "task.prompt" and "nowhere in the train split" in found.message


@pytest.mark.parametrize(("letters_in_a_line", "opening"), [(26, ""), (13, "\n")])
def test_without_a_prompt_a_text_begins_as_the_texts_allow(letters_in_a_line, opening, folder):
    text = (folder / "text.txt").read_text()
    lines = [text[i : i + letters_in_a_line] for i in range(0, len(text), letters_in_a_line)]
    (folder / "text.txt").write_text(("\n" if opening else "").join(lines))
    run = train(LM.replace(", prompt: a", ""), **{"train.epochs": None, "train.steps": 2})
    sample = next(p for p in run.figures if p.name == "sample.txt").read_text()
    assert len(sample) == len(opening) + 40 and sample.startswith(opening)
    found = CliRunner().invoke(app, ["generate", "last", "--max-new-tokens", "9"])
    assert found.exit_code == 0 and found.stdout == dlx.generate("last", max_new_tokens=9)[0] + "\n"


@pytest.mark.parametrize("name", ["new.txt", "new.csv"])
def test_a_language_model_predicts_no_table(letters, folder, name):
    (folder / name).write_text("text\nabc\n")
    with pytest.raises(UsageError, match="use `dlx generate`"):
        dlx.predict(letters.folder, folder / name)


def test_the_command_writes_what_the_function_returns(letters):
    wanted = dlx.generate(letters.folder, "abc", 2, seed=3, temperature=2.0, max_new_tokens=12)
    asked = ["generate", str(letters.folder), "--prompt", "abc", "-n", "2", "--seed", "3"]
    found = CliRunner().invoke(app, [*asked, "--temperature", "2", "--max-new-tokens", "12"])
    assert found.exit_code == 0, found.output
    assert found.stdout == wanted[0] + "\n" + 15 * "-" + "\n" + wanted[1] + "\n"


def test_text_comes_as_it_is_written(letters):
    module = restore(letters.folder).module
    steps, network = [], module.networks["network"]
    network.register_forward_hook(lambda *_: steps.append(1))
    from dlx.decoding.config import GenerationConfig

    seen = [len(steps) for _ in module.stream("abc", GenerationConfig(temperature=0, max_new_tokens=5))]
    assert seen[:6] == [0, 1, 2, 3, 4, 5]  # the prompt comes before anything is computed


@pytest.mark.parametrize("recipe", [LM, TAGS], ids=["language_modeling", "token_classification"])
def test_an_augmentation_that_moves_tokens_away_from_their_targets_is_refused(recipe):
    with pytest.raises(RecipeError) as error:
        built(recipe, ["data.augment=[{random_deletion: 0.1}]"])
    assert "moves tokens, but not their targets" in error.value.diagnostics[0].message
