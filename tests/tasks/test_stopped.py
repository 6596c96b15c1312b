"""F08 for tasks with a state of their own: a run that was stopped in its middle ends as one that was not."""

import pytest
from kit import Stopper, assert_same_weights, is_stopped, quiet

import dlx

CONVS = "{type: layers, layers: [{conv: {channels: 4, kernel: 3, padding: same}}, batch_norm]}"
DIGITS = "{source: {sklearn: digits}, transforms: [{normalize: {method: min_max}}]}"
STOPPED = {
    "seq2seq": (
        "seq2seq",
        "{source: {reverse: {n_samples: 60}}}",
        "{type: seq2seq, embedding_dim: 8, encoder: {gru: 8}, cell: {gru: 8}}",
    ),
    "auxiliary head": (
        "classification",
        DIGITS,
        "{type: layers, layers: [flatten, {linear: 8}, {dropout: 0.2}, {auxiliary_head: [{linear: 8}, relu]}, relu]}",
    ),
    "two texts": (
        "classification",
        "{source: {table: {path: t.csv, target: kind, types: {one: text, other: text}}}, tokenizer: word,"
        " augment: [random_swap]}",
        "{type: layers, layers: [{branches: ["
        "[{field: one}, {read: [{embedding: 4}]}, {gru: {hidden: 4, output: last}}], "
        "[{words: [{field: other}, {embedding: 4}]}, {attention: 2}, {time_pool: mean}]]}]}",
    ),
    "segmentation": ("segmentation", "{source: {shapes: {n_samples: 40, image_size: 16}}}", CONVS),
    "forecasting": (
        "forecasting",
        "{source: {series: {path: s.csv, target: y, history: 6, horizon: 2, season: 3}}}",
        "{mlp: [8]}",
    ),
    "token classes": ("token_classification", "{source: {tagged_text: tags.txt}}", "{gru: {hidden: 8, output: steps}}"),
    "two networks": (
        "{gan: {latent_dim: 4, critic_steps: 2}}",
        DIGITS,
        "{generator: {mlp: [8]}, discriminator: {mlp: [8]}}",
    ),
    "noise inside": ("vae", DIGITS, "{encoder: {mlp: [8]}, decoder: {mlp: [8]}}"),
}
FAST = ("seq2seq", "auxiliary head", "two texts", "two networks")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A series, texts of 1 to 5 and of 1 to 7 words, and sentences whose words have a class each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.csv").write_text("\n".join(["y", *(str(i * i % 17) for i in range(90))]) + "\n")
    rows = [f"{'a b ' * (i % 5)}c,{'d ' * (1 + i * i % 7)},{'xy'[i % 2]}" for i in range(90)]
    (tmp_path / "t.csv").write_text("\n".join(["one,other,kind", *rows]) + "\n")
    (tmp_path / "tags.txt").write_text("\n".join("a x\nb y\n" * (1 + i % 3) for i in range(60)))
    return tmp_path


@pytest.mark.parametrize("case", [pytest.param(c, marks=[] if c in FAST else [pytest.mark.slow]) for c in STOPPED])
def test_f08_a_run_that_was_stopped_goes_on_exactly(case, folder):
    task, data, model = STOPPED[case]
    (folder / "r.yaml").write_text(
        f"name: stopped\ntask: {task}\ndata: {data}\nmodel: {model}\n"
        "train: {epochs: 2, batch_size: 8, limit_train_samples: 64, log_every_n_steps: 3, figures: false}\n"
        "hardware: {accelerator: cpu, num_threads: 1}\n"
    )
    whole = dlx.train("r.yaml", root=folder / "whole", console=quiet())
    with is_stopped():
        dlx.train("r.yaml", console=quiet(), callbacks=[Stopper(2)])
    run = dlx.resume("last", console=quiet())
    assert_same_weights(whole, run)
    assert run.metrics == whole.metrics
