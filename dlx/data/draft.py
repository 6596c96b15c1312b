"""A first recipe for data that were looked at: it trains as it is, and says in comments what was found and chosen.

Like a recipe of the gallery it names components, because it chooses for someone who has not chosen yet; nothing depends
on these choices, and the tests hold that what is written loads and trains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dlx.data import draft_text
from dlx.data.inspect import Inspection
from dlx.data.inspect_text import TextInspection
from dlx.recipe.schema.field_types import to_yaml

MODELS = {
    "segmentation": ["model: {unet: {channels: [16, 32, 64], norm: batch_norm}}"],
    "forecasting": ["model: linear  # one linear map from all steps of the history: hard to beat, and a beginning"],
    "token_classification": [
        "model:", "  type: layers",
        "  layers: [{embedding: 64}, {dropout: 0.2}, {lstm: {hidden: 64, output: steps, bidirectional: true}}]",
    ],
}  # fmt: skip
"""Networks of tasks whose samples have a class, or a number, at every place."""
SHOWN = 30
"""Columns that are listed one by one."""
STEPS = 3000
"""Optimizer steps that a small problem takes about, by which epochs are chosen."""
MOST_EPOCHS = 100
BASELINES = "baselines: auto  # simple methods on the same split, which the network should beat"
BASELINE_TASKS = ("classification", "regression", "forecasting")
SMALLEST_SIDE = 8
"""Images are halved while they are at least this large."""


def draft(found: Inspection | TextInspection, name: str, schema: str) -> str:
    """Return a recipe as commented YAML; `schema` is the file that editors check it with."""
    parts = [[f"# yaml-language-server: $schema={schema}"], ["version: 1", f"name: {_name(name)}"]]
    if isinstance(found, TextInspection):
        parts += [draft_text.task(found), _data(found, draft_text.tokenizer(found)), draft_text.model(found)]
        parts += [draft_text.learning(found), draft_text.claim(found)]
    else:
        parts += [_task(found), _data(found, _tokenizer(found)), _model(found), _learning(found), _claim(found)]
    return "\n".join("\n".join(part) + "\n" for part in parts)


def _name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "-", text).strip("-._")[:100] or "experiment"
    return f"{to_yaml(name)}"


def _task(found: Inspection) -> list[str]:
    name = f"'{_line(found.target)}'"
    guess = " It is a guess: `dlx init … --target COLUMN` names another." if found.guessed else ""
    if found.task == "segmentation":
        loss = "{dice: {cross_entropy_weight: 1.0}}"
        return ["# Every pixel has a class.", f"task: {{segmentation: {{loss: {loss}, metrics: [mean_iou]}}}}"]
    if found.task == "forecasting":
        return ["# What comes next in a series.", "task: {forecasting: {metrics: [mase, mae]}}"]
    if found.task == "token_classification":
        return ["# Every word has a class.", "task: {token_classification: {metrics: [accuracy, f1]}}"]
    if found.task == "regression":
        return [f"# {name} is a number.{guess}", "task: {regression: {metrics: [mae, rmse, r2]}}"]
    counts = [f"{_line(name)} ({n:,})" for name, n in list(found.classes.items())[:8]]
    more = ", …" if len(found.classes) > len(counts) else ""
    balanced = max(found.classes.values()) <= 3 * min(found.classes.values())
    metrics = "[accuracy]" if balanced else "[accuracy, f1]"
    return [
        f"# {name} is one of {len(found.classes)} classes: {', '.join(counts)}{more}.{guess}",
        f"task: {{classification: {{metrics: {metrics}}}}}",
    ]


def _tokenizer(found: Inspection) -> list[str]:
    """Return how text is cut into words: rare ones are known as such where there is much of it."""
    often = 1 if found.rows < 1000 else 2
    return [f"  tokenizer: {{word: {{lowercase: true, min_frequency: {often}}}}}"] if found.texts else []


def _data(found: Inspection | TextInspection, tokenizer: list[str]) -> list[str]:
    lines = [f"# {found.rows:,} {found.unit}."]
    lines += [f"#   {_line(name)}: {_line(words)}" for name, words in list(found.inputs.items())[:SHOWN]]
    lines += [f"#   … and {len(found.inputs) - SHOWN} more"] if len(found.inputs) > SHOWN else []
    lines += [f"#   {_line(name)} is left out: {_line(why)}" for name, why in found.ignored.items()]
    ((kind, fields),) = found.source.items()
    lines += ["data:"]
    if isinstance(fields, Mapping):
        lines += ["  source:", f"    type: {kind}", *(f"    {to_yaml(key)}: {to_yaml(v)}" for key, v in fields.items())]
    else:
        lines += [f"  source: {{{kind}: {to_yaml(fields)}}}"]
    lines += tokenizer
    lines += _split(found)
    if found.bad > 0:
        share = min(1.0, round(found.bad + 0.05, 2))
        lines += [f"  on_error: skip  # {found.bad:.1%} of the samples cannot be used"]
        lines += [f"  max_skipped: {share}"]
    if isinstance(found, Inspection) and found.image is not None:
        lines += [
            "  # augment: [random_horizontal_flip]  # if a mirrored image means the same; `dlx list augmentations`"
        ]
    return lines


def _split(found: Inspection | TextInspection) -> list[str]:
    """Return the line of the splits that the source does not name itself."""
    given = found.splits if isinstance(found, Inspection) else ()
    fractions = {part: 0.15 for part in ("val", "test") if part not in given}
    if isinstance(found, Inspection) and found.repeated:
        return [f"  split: {to_yaml({**fractions, 'deduplicate': True})}  # {found.repeated:,} samples are repeated"]
    return [f"  split: {to_yaml(fractions)}  # fractions; none of them is trained on"] if fractions else []


def _model(found: Inspection) -> list[str]:
    if found.task in ("segmentation", "forecasting", "token_classification"):
        return MODELS[found.task]
    head = ["# The task adds the last layer. Shapes follow from the data: `dlx plan` shows them.", "model:"]
    head += ["  type: layers", "  layers:"]
    if found.texts:
        layers = _text_layers(found)
    elif found.sequences:
        layers = ["gru: 64", "select_step: last"]
    else:
        layers = _table_layers(found) if found.image is None else _image_layers(found.image)
    return head + [f"    - {layer}" for layer in layers]


def _text_layers(found: Inspection) -> list[str]:
    """Return the mean of words' vectors, beside it what other columns say."""
    read = ["embedding: 64", "dropout: 0.3", "time_pool: mean"]
    if list(found.inputs) == list(found.texts) and len(found.texts) == 1:
        return read
    branches = [", ".join(f"{{{layer}}}" for layer in (f"field: {to_yaml(name)}", *read)) for name in found.texts]
    branches += [f"{{field: {table}}}, columns" for table in found.tables]
    return [f"branches: [{', '.join(f'[{layers}]' for layers in branches)}]", "linear: 64", "relu"]


def _table_layers(found: Inspection) -> list[str]:
    width = 64 if found.rows < 2000 else 128
    first = "columns  # numbers are standardized, categories looked up in a learned table"
    return [first, f"linear: {width}", "relu", f"linear: {width // 2}", "relu"]


def _image_layers(image: tuple[int, ...]) -> list[str]:
    side, channels = min(image[1:]), 16
    layers: list[str] = []
    while side >= SMALLEST_SIDE and channels <= 128:
        layers += [f"conv: {{channels: {channels}, kernel: 3, padding: same}}", "batch_norm", "relu", "max_pool: 2"]
        side, channels = side // 2, channels * 2
    if not layers:
        return ["flatten", "linear: 64", "relu"]
    return [*layers, "flatten" if side <= SMALLEST_SIDE // 2 else "global_pool: avg"]


def _learning(found: Inspection) -> list[str]:
    batch = 32 if found.rows < 5000 else 128
    epochs = max(5, min(MOST_EPOCHS, round(STEPS * batch / max(1, found.rows))))
    return [
        draft_text.OPTIMIZER,
        "schedule: {cosine: {warmup: 0.05}}",
        "regularize:",
        f"  early_stopping: {{patience: {min(10, max(1, epochs // 2))}}}",
        "  # dropout: 0.2  # if val/loss rises while train/loss falls",
        f"train: {{epochs: {epochs}, batch_size: {batch}}}",
        *([BASELINES] if found.task in BASELINE_TASKS else []),
    ]


def _claim(found: Inspection) -> list[str]:
    if found.task == "segmentation":
        return ['# expect: {test/mean_iou: ">= 0.7"}']
    if found.task == "forecasting":
        return ["# Below 1: better than what was seen one season before.", '# expect: {test/mase: "< 1"}']
    if found.task == "token_classification" or (not found.classes and found.task != "regression"):
        return ['# expect: {test/accuracy: ">= 0.9"}']
    if found.task == "regression":
        return ["# Always answering with the mean gives an r2 of 0.", '# expect: {test/r2: ">= 0.5"}']
    share = max(found.classes.values()) / sum(found.classes.values())
    return [
        f"# Always answering with the most frequent class gives an accuracy of {share:.2f}.",
        f'# expect: {{test/accuracy: ">= {min(0.99, (1 + share) / 2):.2f}"}}',
    ]


def _line(text: str) -> str:
    """Keep what stands in a comment on its line."""
    return "".join(c if c.isprintable() else " " for c in text)
