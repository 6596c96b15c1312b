"""What components of a family build, as values that can be compared: more observers for the sweep over every field."""

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import observers
import torch
from layer_inputs import CONDITIONS, TABLE
from layer_inputs import sample as sample_of_layer
from model_inputs import INPUTS
from targets import compute_metric, random_predictions, target_facts
from transform_inputs import described, features, images

from dlx.augmentations import Augmentation
from dlx.errors import DataError, RunError, ShapeError, UsageError
from dlx.facts import DataFacts
from dlx.layers import Layer, infer_shape, walk
from dlx.models import initialize
from dlx.nn.context import apply
from dlx.search_space import SearchSpace, read_domain
from dlx.tensors import Stats, TensorSpec, context_of
from dlx.tokenizers import Tokenizer, restore, store

REFUSED = "refused"
TEXTS = ["The cat sat on the mat, and the dog sat.", "A cat and a DOG: two animals!", "It's 3.14 o'clock; naïve?"] * 3
MANY_WORDS = [" ".join(a + b + c for a in "bdgklm" for b in "aeiou" for c in ("n", "st", "rk"))] * 3
WORDS = [f"word{i}" for i in range(16)]


def digest(values: Any) -> str:
    """Return a short text that is another for other numbers."""
    if torch.is_tensor(values):
        values = values.detach().double().numpy()
    array = np.asarray(values)
    raw = array.tobytes() if array.dtype != object else repr(array.tolist()).encode()
    return f"{array.shape}{hashlib.sha256(raw).hexdigest()[:12]}"


def filled_weights(spec: Any) -> list[str]:
    """Return weights that an initializer fills."""
    found = []
    for shape in ((40, 30), (6, 4, 3, 3)):
        torch.manual_seed(0)
        weight = torch.zeros(shape)
        spec.fill(weight, 1.7)
        bias = torch.zeros(shape[0])
        spec.fill_bias(bias)
        found += [digest(weight), digest(bias)]
    return found


def losses_and_predictions(spec: Any) -> list[Any]:
    """Return the value of a loss, and what it makes of outputs, for each kind of target."""
    found: list[Any] = []
    for kind in spec.inverse_links:
        facts = target_facts(kind, 3)
        _, target = random_predictions(kind, 3)
        try:
            spec.validate_target(facts)
        except ShapeError as error:
            found.append((kind, REFUSED, error.message))
            continue
        torch.manual_seed(0)
        output = torch.randn(len(target), spec.out_features(facts))
        target = target.float() if kind != "classes" else target
        found += [kind, digest(spec.build(facts)(output, target)), digest(spec.predict(output, facts))]
    return found


def measured(spec: Any) -> list[Any]:
    """Return a metric of random predictions, for each kind of target."""
    found: list[Any] = []
    for kind in spec.target_kinds:
        for k in (2, 4):
            stats = Stats(mean=(1.0,) * k, std=(2.0,) * k, low=(1.0,) * k, high=(2.0,) * k, naive=(3.0,) * k)
            facts = target_facts(kind, k, stats)
            facts = _with_texts(facts) if spec.compares_texts else facts
            try:
                if kind != "samples":  # of which no facts say anything
                    spec.validate_target(facts)
                value = _texts_compared(spec, facts) if spec.compares_texts else _metric(spec, kind, k, facts)
                found.append((kind, spec.names("own", facts), digest(value)))
            except (ShapeError, RunError) as error:
                found.append((kind, REFUSED, str(error)))
    return found


def _metric(spec: Any, kind: str, k: int, facts: DataFacts) -> Any:
    if kind != "samples":
        return compute_metric(spec, facts, *random_predictions(kind, k))
    metric, generator = spec.build(facts), torch.Generator().manual_seed(0)
    for _ in range(3):
        real = torch.randn(30, 3, generator=generator)
        metric.update(0.9 * real + 0.5 * torch.randn(30, 3, generator=generator), real, torch.arange(30) % 2)
    return metric.compute()


def _with_texts(facts: DataFacts) -> DataFacts:
    byte = Tokenizer.model_validate("byte")
    return replace(facts, tokenizers={"target": store(byte, byte.train(TEXTS, Path()))})


def _texts_compared(spec: Any, facts: DataFacts) -> Any:
    metric, codec = spec.build(facts), restore(facts.tokenizers["target"])
    metric.update(codec.encode([text.replace(" sat", " SAT,") for text in TEXTS]), codec.encode(TEXTS))
    return metric.compute()


def architectures(spec: Any) -> list[Any]:
    """Return the layers that a model makes of each input that it takes, and how their weights begin."""
    found: list[Any] = [spec.has_head]
    for what, x in INPUTS.items():
        try:
            tree = spec.tree(x)
            tree.shape(x)
        except ShapeError as error:
            found.append((what, error.message))
            continue
        found.append((what, tree.model_dump(mode="json", serialize_as_any=True)))
    target = TensorSpec((4, 2), "TF")
    return [*found, _or_refusal(lambda: spec.forecast_head(target, 3))]


def _or_refusal(make: Any) -> Any:
    try:
        return make()
    except ShapeError as error:
        return error.message


LAYER_INPUTS = (
    TensorSpec((4, 9, 8), "CHW"),
    TensorSpec((16,), "F"),
    TensorSpec((6, 8), "TF"),
    TensorSpec((4, 11), "CL"),
    TensorSpec((6,), "T", dtype="int64", vocab=(5,)),
    TABLE,
    TensorSpec((6, 8), "TF", context={"memory": TensorSpec((5, 12), "TF"), "mask": TensorSpec((6,), "T", "bool")}),
    TensorSpec((8,), "F", context=CONDITIONS),
    TensorSpec((4, 4, 4), "CHW", context=CONDITIONS),
)


def outputs_of_layer(spec: Any) -> list[Any]:
    """Return what a layer makes of inputs, in training and afterwards, with its parameters and their names."""
    found: list[Any] = []
    for x in LAYER_INPUTS:
        try:
            y = infer_shape((), spec, x)
        except ShapeError as error:
            found.append(error.message)
            continue
        found += [repr(y), repr(context_of(y).keys()), *_built(Layer.model_validate([spec]), x)]
    return found


def _built(layer: Layer, x: Any) -> list[Any]:
    torch.manual_seed(0)
    module = layer.build(x)
    initialize(module, layer, x, None)
    found: list[Any] = [[path for path, _, _ in walk(layer, x)], [digest(p) for p in module.state_dict().values()]]
    for training in (True, False):
        module.train(training)
        torch.manual_seed(1)
        context = {name: sample_of_layer(value) for name, value in context_of(x).items()}
        y = apply(module, sample_of_layer(x), context)
        found.append([digest(part) for part in (y.values() if isinstance(y, dict) else [y])])
        found += [
            digest(m.auxiliary_loss) for m in module.modules() if torch.is_tensor(getattr(m, "auxiliary_loss", None))
        ]
    return [*found, *(observers.plain_attributes(part) for part in module.modules())]


def augmented(spec: Any) -> list[Any]:
    """Return batches that an augmentation has changed, for each kind of input that it takes."""
    text, found = TensorSpec((None,), "T", "int64", vocab=(20,)), []
    word = Tokenizer.model_validate("word")
    stored = store(word, word.train([" ".join(WORDS)], Path()))
    facts = DataFacts({"text": text}, ("text",), tokenizers={"text": stored})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "thesaurus.txt").write_text(", ".join(WORDS[:8]) + "\n" + ", ".join(WORDS[8:]))
        fitted = _or_error(lambda: spec.fit(facts, Path(folder)))
    if not isinstance(fitted, Augmentation):
        return [fitted]
    generator = torch.Generator().manual_seed(0)
    batches = [
        (torch.rand(16, 3, 12, 10, generator=generator), TensorSpec((3, 12, 10), "CHW")),
        (torch.randn(16, 4, 5, generator=generator), TensorSpec((4, 5), "TF")),
        (torch.stack([torch.randperm(16, generator=generator)[:9] + 4 for _ in range(16)]), text),
    ]
    for batch, x in batches:
        try:
            fitted.validate_input(x)
        except ShapeError as error:
            found.append(error.message)
            continue
        torch.manual_seed(0)
        y, target = fitted.build(x, 3)(batch.clone(), torch.arange(16) % 3)
        found.append((digest(y), digest(target)))
    return found


def _or_error(make: Any) -> Any:
    try:
        return make()
    except (DataError, UsageError) as error:
        return str(error)


def transformed(spec: Any) -> list[Any]:
    """Return what a transform says of each kind of input, and what it makes of it."""
    codes, found = torch.tensor([[0, 3], [2, 1], [1, 0]]), []
    color = images(size=(40, 48))
    for batch, x in [
        *((batch, described(batch, "CHW")) for batch in (color, color / 255)),
        (features(), described(features(), "F")),
        (features().reshape(16, 4, 5), described(features().reshape(16, 4, 5), "TF")),
        (codes, TensorSpec((2,), "F", "int64", vocab=(3, 4), names=("a", "b"))),
    ]:
        try:
            y = spec.spec(x)
        except ShapeError as error:
            found.append(error.message)
            continue
        found += [repr(y), digest(spec.build(x)(batch))]
    return found


def tokenized(spec: Any) -> list[Any]:
    """Return what a tokenizer learns of texts, and what it makes of others."""
    with tempfile.TemporaryDirectory() as folder:
        codec = _or_error(lambda: spec.train([*TEXTS, *MANY_WORDS], Path(folder)))
    if isinstance(codec, str):
        return [codec]
    other = ["The cat sat ON the zebra.", "o'clock 3.14"]
    return [codec.tokens, [ids.tolist() for ids in codec.encode(other)], [codec.decode(i) for i in codec.encode(other)]]


SPACE = SearchSpace({"lr": read_domain({"log": [1e-4, 1e-1]}), "dropout": read_domain({"uniform": [0.0, 1.0]})})


def proposals(spec: Any) -> list[Any]:
    """Return what a searcher proposes, one after the other."""
    sampler, history = spec.build(SPACE, 0, False), {}
    for number in range(min(14, spec.limit(SPACE))):
        point = sampler.propose(number, history)
        history[number] = point, abs(point["dropout"] - 0.3)
    return [spec.limit(SPACE), *history.values()]
