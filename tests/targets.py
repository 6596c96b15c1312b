"""Facts, targets and predictions of every kind, for tests of losses and metrics."""

from pathlib import Path

import torch

from dlx.facts import DataFacts
from dlx.metrics import Metric
from dlx.optimizers import Optimizer
from dlx.schedules import Schedule
from dlx.tasks import Learning
from dlx.tensors import Stats, TensorSpec
from dlx.tokenizers import Tokenizer, store

NAMES = tuple("abcdefgh")
SAMPLES = 200
SGD = Learning({"*": Optimizer.model_validate("sgd")}, {"*": Schedule.model_validate("constant")})


def image_facts(image: TensorSpec) -> DataFacts:
    """Return facts of nine images of two classes."""
    fields = {"image": image, "target": TensorSpec((), "", "int64", vocab=(2,))}
    return DataFacts(fields, ("image",), "target", classes=("a", "b"), counts={"train": 9})


def target_facts(kind: str, k: int, stats: Stats | None = None, names: tuple[str, ...] = NAMES) -> DataFacts:
    """Return facts of a target with k classes, labels, outputs or words; the k-th class has 10 k samples of 100."""
    if kind == "tokens":
        return _text_facts(k)
    known = stats or Stats(mean=(0.0,) * k, std=(1.0,) * k, low=(1.0,) * k, high=(2.0,) * k, naive=(1.0,) * k)
    classes = names[:k] if kind in ("classes", "labels") else ()
    return DataFacts(
        fields={
            "x": TensorSpec((3,), "F"),
            "target": TensorSpec((), "", "int64") if kind == "classes" else TensorSpec((k,), "F", stats=known),
        },
        inputs=("x",),
        target="target",
        classes=classes,
        multilabel=kind == "labels",
        class_counts=tuple(range(10, 10 * len(classes) + 1, 10)),
        counts={"train": 100},
    )


def series_facts(steps: int, columns: int, stats: Stats) -> DataFacts:
    """Return facts of a target of several steps of a series."""
    target = TensorSpec((steps, columns), "TF", stats=stats, names=NAMES[:columns])
    return DataFacts({"history": TensorSpec((9, columns), "TF"), "target": target}, ("history",), "target")


def _text_facts(words: int) -> DataFacts:
    word = Tokenizer.model_validate("word")
    stored = store(word, word.train([" ".join(NAMES[:words])], Path()))
    tokens = TensorSpec((5,), "T", "int64", vocab=(4 + words,))
    return DataFacts({"x": tokens, "target": tokens}, ("x",), "target", tokenizers={"target": stored})


def random_predictions(kind: str, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return predictions of 200 samples that are better than chance but far from right, and their targets."""
    generator = torch.Generator().manual_seed(k)
    noise = torch.randn(SAMPLES, k, generator=generator)
    if kind == "samples":  # all alike, and far from the data
        return 0.1 * noise + 10, torch.randn(SAMPLES, k, generator=generator)
    if kind == "tokens":
        target = torch.randint(4, 4 + k, (SAMPLES, 5), generator=generator)
        wrong = torch.rand(SAMPLES, 5, generator=generator) < 0.2
        return torch.where(wrong, torch.randint(4, 4 + k, (SAMPLES, 5), generator=generator), target), target
    if kind == "regression":
        target = torch.randn(SAMPLES, k, generator=generator) + 3
        return target + noise, target
    if kind == "labels":
        target = torch.randint(0, 2, (SAMPLES, k), generator=generator)
        return (noise + target).sigmoid(), target
    target = torch.randint(0, k, (SAMPLES,), generator=generator)
    return (noise + torch.nn.functional.one_hot(target, k)).softmax(1), target


def compute_metric(spelling: object, facts: DataFacts, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return a metric that was updated with three uneven batches."""
    metric = Metric.model_validate(spelling).build(facts)
    for part in (slice(0, 1), slice(1, 90), slice(90, None)):
        if len(prediction[part]):
            metric.update(prediction[part], target[part])
    return metric.compute()


def random_metric(spelling: object, kind: str, k: int) -> torch.Tensor:
    """Return the metric of random predictions."""
    return compute_metric(spelling, target_facts(kind, k), *random_predictions(kind, k))
