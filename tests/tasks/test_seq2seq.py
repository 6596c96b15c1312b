"""Texts that are written: losses without padding, writing with and without a cache, BLEU as sacrebleu has it."""

import importlib.util
from dataclasses import replace

import pytest
import sacrebleu
import torch
from kit import build, quiet

import dlx
from dlx.engine.inference.restore import restore
from dlx.errors import RecipeError
from dlx.facts import DataFacts
from dlx.installation import install_command
from dlx.metrics import Metric
from dlx.nn.context import apply
from dlx.tasks import Task
from dlx.tasks._base.gradient_accumulation import split
from dlx.tasks.seq2seq.module import Translations
from dlx.tensors import TensorSpec, context_of
from dlx.tokenizers import BOS, EOS

RECURRENT = "{type: seq2seq, embedding_dim: 8, encoder: {gru: {hidden: 8, bidirectional: true}}, cell: {gru: 12}}"
TRANSFORMER = "{type: transformer, features: 16, num_layers: 2, num_heads: 2, hidden: 16, dropout: 0.0}"
models = pytest.mark.parametrize("model", [RECURRENT, TRANSFORMER])


def recipe(folder, model=RECURRENT, task="seq2seq", **changes):
    (folder / "r.yaml").write_text(
        f"name: texts\ntask: {task}\n"
        "data: {source: {reverse: {n_samples: 150, n_symbols: 5, min_length: 1, max_length: 5}}}\n"
        f"model: {model}\n"
        "optimizer: {adam: {lr: 0.01}}\n"
        "train: {steps: 6, epochs: null, batch_size: 16}\n"
        "hardware: {accelerator: cpu, num_threads: 1}\n"
    )
    return dlx.load(folder / "r.yaml", changes)


def made(loaded):
    module, batches = build(dlx.plan.make(loaded))
    return module.eval(), batches


def alone(batch):
    """Yield each sample of a batch by itself, without padding."""
    for i in range(len(batch["rows"])):
        source, target = (ids[ids != 0][None] for ids in (batch["source"][i], batch["target"][i]))
        yield {"source": source, "target": target, "rows": batch["rows"][i : i + 1]}


@models
def test_the_loss_is_the_mean_over_all_real_tokens(tmp_path, model):
    module, batches = made(recipe(tmp_path, model))
    batch = next(iter(batches["train"]))
    assert not batch["target.mask"].all()
    total, count = 0.0, 0
    for one in alone(batch):
        shown, wanted = one["target"][:, :-1], one["target"][:, 1:]
        assert shown[0, 0] == BOS and wanted[0, -1] == EOS
        logits_BTV = apply(module.networks["network"], {"source": one["source"], "target": shown}, {})
        total += torch.nn.functional.cross_entropy(logits_BTV[0], wanted[0], reduction="sum").item()
        count += wanted.numel()
    assert module.loss(batch).item() == pytest.approx(total / count, rel=1e-5)


def test_a_step_is_real_where_a_token_follows_it(tmp_path):
    module, batches = made(recipe(tmp_path))
    batch = next(iter(batches["train"]))
    lengths = (batch["target"] != 0).sum(1)
    assert len(lengths.unique()) > 1
    assert torch.equal(module.context_of(batch)["mask"].sum(1), lengths - 1)
    assert len(module.loss_target(batch)) == int((lengths - 1).sum())


def test_texts_of_several_processes_come_together():
    one, other = Translations([0], [("a", "b", "c")]), Translations([1], [("d", "e", "f")])
    one.join(other)
    assert one == Translations([0, 1], [("a", "b", "c"), ("d", "e", "f")])


@pytest.mark.parametrize(("lengths", "masks"), [((None, 6), {"memory_mask"}), ((7, None), {"mask"}), ((7, 6), set())])
def test_masks_are_planned_for_what_varies_in_length(lengths, masks):
    source, target = (TensorSpec((length,), "T", "int64", (9,)) for length in lengths)
    (role,) = (
        Task.model_validate("seq2seq").roles(DataFacts({"a": source, "target": target}, ("a",), "target")).values()
    )
    assert set(context_of(role.input)) == set(role.output.context) == masks


def test_micro_batches_add_up_to_the_loss_of_their_batch(tmp_path):
    module, batches = made(recipe(tmp_path))
    batch = next(iter(batches["train"]))
    module.learning = replace(module.learning, micro_batches=3)
    parts = split(module.prepare_step(batch), 3)
    total = sum(module.loss(part) * len(part["rows"]) / len(batch["rows"]) for part in parts)
    assert total.item() == pytest.approx(module.loss(batch).item(), rel=1e-5)


@models
def test_generation_with_a_cache_is_generation_without(tmp_path, model):
    module, batches = made(recipe(tmp_path, model))
    batch = {name: value[:8] for name, value in next(iter(batches["test"])).items()}
    for one, generated in zip(alone(batch), module.generate(batch), strict=True):
        text = [BOS]
        for _ in range(module.config.max_new_tokens):
            logits_V = apply(module.networks["network"], {**one, "target": torch.tensor([text])}, {})[0, -1]
            logits_V[:3] = -torch.inf
            text.append(int(logits_V.argmax()))
            if text[-1] == EOS:
                break
        assert generated == [token for token in text[1:] if token != EOS]


@models
def test_a_beam_of_sources_of_unequal_length_is_that_of_each(tmp_path, model):
    module, batches = made(recipe(tmp_path, model, task="{seq2seq: {num_beams: 3, max_length: 4}}"))
    with torch.no_grad():
        for parameter in module.networks.parameters():
            parameter.mul_(5)  # so that what is generated depends on the source
    batch = {name: value[:12] for name, value in next(iter(batches["test"])).items()}
    assert not batch["source.mask"].all()
    generated = module.generate(batch)
    assert len({tuple(tokens) for tokens in generated}) >= 3
    assert generated == [module.generate(one)[0] for one in alone(batch)]


def test_bleu_of_batches_is_sacrebleus_of_the_corpus(tmp_path):
    module, _ = made(recipe(tmp_path))
    letters = module.target_codec.encode(["a b c d e a", "b c a", "e e d c b a a b", "c"])
    generated = module.target_codec.encode(["a b c d e e", "b c a a", "e d d c b a a b", "c a"])
    metric = Metric.model_validate("bleu").build(module.facts)
    for part in (slice(0, 1), slice(1, 4)):
        metric.update(generated[part], letters[part])
    texts = [[module.target_codec.decode(ids) for ids in group] for group in (generated, letters)]
    expected = sacrebleu.corpus_bleu(texts[0], [texts[1]]).score
    assert 20 < expected < 90
    assert metric.compute().item() == pytest.approx(expected, rel=1e-5)


def test_exact_match_counts_whole_texts():
    metric = Metric.model_validate("exact_match").build(None)
    metric.update([[4, 5], [6]], [[4, 5], [6, 7]])
    metric.update([[], [8]], [[], [8]])
    assert metric.compute().item() == 0.75


def test_without_its_package_bleu_says_what_to_install(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "sacrebleu" else found(name))
    with pytest.raises(RecipeError) as caught:
        recipe(tmp_path, task="{seq2seq: {metrics: [bleu]}}")
    (diagnostic,) = caught.value.diagnostics
    assert "bleu needs sacrebleu" in diagnostic.message
    assert install_command("text") in str(diagnostic)


def test_label_smoothing_reaches_the_loss(tmp_path):
    plain, batches = made(recipe(tmp_path))
    smoothed, _ = made(recipe(tmp_path, regularize={"label_smoothing": 0.2}))
    batch = next(iter(batches["train"]))
    logits_NV, target_N = plain.loss_output(plain.network_output(plain.role, batch), batch), plain.loss_target(batch)
    expected = torch.nn.functional.cross_entropy(logits_NV, target_N, label_smoothing=0.2)
    assert smoothed.loss(batch).item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_is_no_pair_of_texts_is_refused(tmp_path):
    with pytest.raises(RecipeError):
        dlx.plan.make(recipe(tmp_path, model="linear"))


# -- the whole way -----------------------------------------------------------------------------------------------------


def test_texts_are_learned_evaluated_drawn_and_predicted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["one", "two", "three", "four", "five"]
    pairs = [(words[i % 5], words[(i + 1) % 5]) for i in range(100)]
    for k, name in enumerate(("a.txt", "b.txt")):
        (tmp_path / name).write_text("".join(pair[k] + "\n" for pair in pairs))
    loaded = recipe(tmp_path, task="{seq2seq: {metrics: [exact_match, bleu, accuracy]}}")
    text = (tmp_path / "r.yaml").read_text()
    source = "{source: {type: parallel_text, path: [a.txt, b.txt]}}"
    text = text.replace(text.split("data: ")[1].split("\n")[0], source).replace("steps: 6, epochs: null", "epochs: 20")
    (tmp_path / "r.yaml").write_text(text)
    assert loaded.recipe.task.type == "seq2seq"
    run = dlx.train("r.yaml", console=quiet())
    assert run.metrics["test/exact_match"] == 1.0
    assert run.metrics["test/accuracy"] == 1.0
    assert {"attention.png", "generated.txt"} <= {path.name for path in run.figures}
    assert dlx.evaluate("last").metrics["test/exact_match"] == 1.0
    (tmp_path / "new.txt").write_text("two\nfive\n")
    assert dlx.predict("last", ["new.txt"]).columns["prediction"] == ["three", "one"]


@pytest.mark.slow
def test_a_reversed_text_is_attended_to_from_its_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = "{type: seq2seq, embedding_dim: 16, encoder: {gru: {hidden: 24, bidirectional: true}}, cell: {gru: 48}"
    loaded = recipe(
        tmp_path,
        model + ", attention: luong}",
        **{"data.source.n_samples": 3000, "train.steps": None, "train.epochs": 10, "train.batch_size": 32},
    )
    assert dlx.train(loaded, console=quiet()).metrics["test/exact_match"] >= 0.95
    module, batches = restore("last").module, made(loaded)[1]
    batch = {name: value[:16] for name, value in next(iter(batches["test"])).items()}
    wanted = [[int(i) for i in ids if i not in (0, BOS, EOS)] for ids in batch["target"]]
    for source, _, share_TS in module.attention(batch, wanted):
        assert share_TS.argmax(1)[: len(source)].tolist() == [*reversed(range(len(source)))]


def test_lines_of_letters_are_read_for_prediction(tmp_path):
    loaded = recipe(tmp_path)
    (tmp_path / "in.txt").write_text("a b c\n\ne d\n")
    column = loaded.recipe.data.source.read_inputs([tmp_path / "in.txt"], None).columns["source"]
    assert list(column.values) == ["a b c", "e d"]
