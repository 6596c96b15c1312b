"""Texts whose words are hidden, and recipes that learn which, for tests."""

import csv

import numpy as np

TEXTS = """
name: texts
task: {masked_lm: {num_examples: 2}}
data:
  source: {table: {path: texts.csv, target: mood, types: {text: text}}}
  inputs: [text]
  tokenizer: word
  split: {val: 0.2, test: 0.2}
model: {bert: {features: 16, num_layers: 1, num_heads: 2, max_length: 16, pooler: false, dropout: 0.1}}
optimizer: {adam: {lr: 0.01}}
train: {epochs: 2, batch_size: 16, log_every_n_steps: 1, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""


RUNNING = """
name: running
task: {masked_lm: {next_sentence: true}}
data: {source: {text: {path: text.txt, block_size: 8}}, split: {val: 0.2, test: 0.2}}
model: {bert: {features: 16, num_layers: 1, num_heads: 2, max_length: 16, pooler: false, dropout: 0.0}}
optimizer: {adam: {lr: 0.01}}
train: {epochs: 2, batch_size: 16, log_every_n_steps: 1, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""


WORDS = ("good fine nice glad", "bad poor sad grim")


def write_texts(folder):
    """Write texts of good and of bad words, each with its mood, and a running text without any sense."""
    generator = np.random.default_rng(0)
    with (folder / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "mood"])
        for i in range(120):
            words = generator.choice(WORDS[i % 2].split(), 3 + i % 5)
            writer.writerow([" ".join(["the", *words]), "up" if i % 2 == 0 else "down"])
    (folder / "text.txt").write_text("".join(generator.choice(list("abcdef"), 3000)))
