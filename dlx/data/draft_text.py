"""First recipes for text: what continues it, and what translates it."""

from __future__ import annotations

from dlx.data.inspect_text import TextInspection

STEPS, MOST_EPOCHS = 6000, 60
"""Optimizer steps that a small translator takes about, and the epochs that it is given at most."""
OPTIMIZER = "optimizer: {adamw: {lr: 1.0e-3}}  # the learning rate is the first thing to try: 3.0e-4, 3.0e-3"


def task(found: TextInspection) -> list[str]:
    """Return the lines of the task."""
    if found.task == "language_modeling":
        return [
            f"# Learns to say {found.target}, and so to write; the run's figures/sample.txt shows how.",
            "task: {language_modeling: {sample_tokens: 400}}",
        ]
    return [
        "# Reads the lines of the first file and writes those of the second.",
        "task: {seq2seq: {loss: {cross_entropy: 0.1}, metrics: [bleu, exact_match], max_length: 60}}",
    ]


def tokenizer(found: TextInspection) -> list[str]:
    """Return the line of `data` that says how text is cut."""
    if found.task == "language_modeling":
        return ["  tokenizer: char  # or {bpe: {vocab_size: 2000}}, which reads pieces of words"]
    size = 1000 if found.rows < 5000 else 8000
    return [f"  tokenizer: {{bpe: {{vocab_size: {size}}}}}  # one vocabulary for both", "  max_length: 80"]


def model(found: TextInspection) -> list[str]:
    """Return the lines of the model."""
    if found.task == "language_modeling":
        return ["model: {gpt: {features: 128, num_layers: 4, num_heads: 4, dropout: 0.1}}"]
    sizes = "features: 128, num_layers: 3, num_heads: 4, hidden: 256, norm_first: true, dropout: 0.1"
    return [f"model: {{transformer: {{{sizes}}}}}"]


def learning(found: TextInspection) -> list[str]:
    """Return how it is learned."""
    batch = 16 if found.task == "language_modeling" else 64
    epochs = max(3, min(MOST_EPOCHS, round(STEPS * batch / found.rows)))
    length = "steps: 2000" if found.task == "language_modeling" else f"epochs: {epochs}"
    return [
        OPTIMIZER,
        "schedule: {cosine: {warmup: 0.1}}",
        "regularize: {grad_clip: {norm: 1.0}}",
        f"train: {{{length}, batch_size: {batch}}}",
    ]


def claim(found: TextInspection) -> list[str]:
    """Return what one could claim."""
    if found.task == "language_modeling":
        return ["# Guessing by how frequent characters are gives about 4.5 bits a character in English.",
                '# expect: {val/bits_per_character: "<= 3.0"}']  # fmt: skip
    return ["# Copying the source gives a BLEU of a few points.", '# expect: {test/bleu: ">= 20"}']
