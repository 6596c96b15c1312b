"""Checks across sections: what no single section can know to be wrong, and what a person should be told."""

from __future__ import annotations

from collections.abc import Mapping

from dlx.component import Component
from dlx.diagnostic import Loc
from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer, walk
from dlx.nearest import nearest
from dlx.plan.hardware import problems
from dlx.plan.memory import numbers, peak
from dlx.plan.networks import NetworkPlan
from dlx.recipe.schema.recipe import Recipe
from dlx.regularizers import Regularizer
from dlx.schedules import Horizon, Schedule
from dlx.strategies import Strategy
from dlx.tasks import for_role
from dlx.trees import iter_layers

QUANTITIES = ("parameters", "macs", "flops", "activations", "memory", "steps")


def contradictions(recipe: Recipe, facts: DataFacts, given: DataFacts | None = None) -> list[ShapeError]:
    """Return everything in the recipe that the data or another section rules out, each with its place.

    given  the facts before transforms, where these change them
    """
    found = [error.within("task") for error in recipe.task.problems(facts)]
    found += problems(recipe.hardware, batch_size(recipe, facts.counts["train"]), dict(facts.counts))
    found += _layouts(recipe, facts) + _textless(recipe, facts)
    found += _classes(recipe, facts)
    found += _closures(recipe)
    found += _parts(recipe)
    unfit = _augmentations(recipe, given or facts)
    found += unfit
    found += [e for e in _mixing(recipe) + _masks(recipe, facts) if e.loc not in [other.loc for other in unfit]]
    found += _scaled(recipe, facts)
    found += _averages(recipe)
    found += _directions(recipe, facts)
    found += _unvalidated(recipe, facts)
    return found + _unknown_metrics(recipe, facts)


def _unknown_metrics(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse what waits for, or claims something of, a metric that the run will not have."""
    watched = {name: r.monitored_metric() for name, r in recipe.regularize.items()}
    asked: list[tuple[Loc, str]] = [(("regularize", n, "monitor"), m) for n, m in watched.items() if m is not None]
    asked += [(("expect", claim), claim) for claim in recipe.expect]
    known, quantities = metric_names(recipe, facts), [f"plan/{q}" for q in QUANTITIES]
    if not {name for _, name in asked} <= {*known, *quantities}:
        known += _metrics_of_layers(recipe, facts)
    claims = {"expect": [*known, *quantities], "regularize": known}
    return [
        ShapeError(_no_such_metric(name, claims[str(loc[0])]), loc)
        for loc, name in asked
        if name not in claims[str(loc[0])]
    ]


def _metrics_of_layers(recipe: Recipe, facts: DataFacts) -> list[str]:
    """Return the metrics that layers of the networks have, on every split with samples."""
    try:
        roles = recipe.task.roles(facts)
        trees = [for_role(recipe.model, role).tree(wanted.input) for role, wanted in roles.items()]
    except ShapeError:
        return []  # said elsewhere, with its place
    found = {
        name for tree in trees for part in iter_layers(tree) if isinstance(part, Layer) for name in part.metric_names
    }
    return [f"{split}/{name}" for split in _evaluated(facts) for name in sorted(found)]


def _layouts(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse a layout of images where there are none."""
    if recipe.hardware.channels_last and not any(facts.fields[name].axes == "CHW" for name in facts.inputs):
        return [ShapeError("there are no images whose channels could be last", ("hardware", "channels_last"))]
    return []


def _textless(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse what says how text is read where there is none."""
    data = recipe.data
    given = {
        "tokenizer": data.tokenizer is not None,
        "max_length": data.max_length is not None,
        "special_tokens": data.special_tokens,
    }
    message = "there is no text; a column of a table is text where the source says `types: {column: text}`"
    asked = [name for name, is_given in given.items() if is_given and not facts.tokenizers]
    return [ShapeError(message, ("data", name)) for name in asked]


def _classes(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse batches of a few samples of each class where there are no classes, or too few."""
    train, loc = recipe.train, ("train", "samples_per_class")
    if train.samples_per_class is None:
        return []
    if not facts.class_counts or facts.multilabel:
        return [ShapeError("there are no classes of which a batch could take samples", loc)]
    if any(o.full_batch for o in recipe.optimizer.values()):
        return [ShapeError("the optimizer takes all samples at once", loc)]
    wanted, there = train.batch_size // train.samples_per_class, sum(count > 0 for count in facts.class_counts)
    if wanted > there:
        each = f"batches of {train.batch_size} with {train.samples_per_class} of each class"
        return [ShapeError(f"{each} need {wanted} classes, of which there are {there}", loc)]
    return []


def _closures(recipe: Recipe) -> list[ShapeError]:
    """Refuse what an optimizer that evaluates the loss twice cannot do."""
    twice = [o.type for o in recipe.optimizer.values() if o.needs_closure]
    if twice and recipe.task.shared_gradient:
        message = f"{twice[0]} evaluates the loss of one network again, but several networks of {recipe.task.type} move"
        role = next(role for role, o in recipe.optimizer.items() if o.needs_closure)
        return [ShapeError(f"{message} down one gradient", ("optimizer", role))]
    if twice and recipe.hardware.precision == "16-mixed":
        return [ShapeError(f"{twice[0]} evaluates a batch twice, which 16-mixed cannot do", ("hardware", "precision"))]
    return []


def _augmentations(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse augmentations of another kind of samples, such as those of images where there is text."""
    found, x = [], facts.fields[facts.inputs[0]]
    for i, augmentation in enumerate(recipe.data.augment):
        try:
            augmentation.check(x if x.vocab else x.replace(dtype="float32"))
        except ShapeError as error:
            found.append(error.within("data", "augment", i))
    return found


def _parts(recipe: Recipe) -> list[ShapeError]:
    """Refuse what needs whole weights and gradients where a device holds a part of them."""
    strategy, hardware = recipe.hardware.strategy, recipe.hardware
    alone = int(hardware.devices) * hardware.num_nodes == 1
    if alone or not isinstance(strategy, Strategy) or not strategy.shards_parameters:
        return []
    needing: list[tuple[Loc, Component]] = []
    needing += [(("optimizer", role), o) for role, o in recipe.optimizer.items() if o.needs_full_parameters]
    needing += [
        (("regularize", n), r) for n, r in recipe.regularize.items() if r.needs_full_parameters or r.averages_weights
    ]
    needing += [(("task",), recipe.task)] if recipe.task.whole else []
    message = f"needs weights and gradients whole, of which {strategy.type} gives a device a part: use ddp"
    found = [ShapeError(f"{component.type} {message}", loc) for loc, component in needing]
    never = {"compile": hardware.compile, "channels_last": hardware.channels_last}
    never["precision"] = hardware.precision == "16-mixed"
    names = [name for name, asked in never.items() if asked]
    return found + [ShapeError(f"{strategy.type} cannot do this: use ddp", ("hardware", name)) for name in names]


def _mixing(recipe: Recipe) -> list[ShapeError]:
    """Refuse augmentations that mix samples where the task's loss cannot judge a mixture of targets."""
    if recipe.task.accepts_soft_targets:
        return []
    message = "makes mixtures of targets, which the loss of this task cannot judge"
    mixing = [(i, a.type) for i, a in enumerate(recipe.data.augment) if a.mixes]
    return [ShapeError(f"{name} {message}", ("data", "augment", i)) for i, name in mixing]


def _masks(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse augmentations after which a target of one class a pixel, or a token, would no longer fit the input."""
    axes = facts.fields[facts.target].axes if facts.target is not None else ""
    if recipe.task.target_kind == "pairs":
        moved = "tokens, but not where the second piece of a pair begins"
    elif axes == "HW":
        moved = "the pixels of an image, but not those of its mask"
    elif axes == "T" and (facts.classes or facts.ordered):
        moved = "tokens, but not their targets"
    else:
        return []
    moving = [(i, a.type) for i, a in enumerate(recipe.data.augment) if not a.keeps_masks and not a.mixes]
    return [ShapeError(f"{name} moves {moved}", ("data", "augment", i)) for i, name in moving]


def _scaled(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse transforms of what the task itself scales, and must know in its own units."""
    chosen = [t.field or facts.inputs[0] for t in recipe.data.transforms]  # type: ignore[union-attr]
    message = f"{recipe.task.type} scales {{}} itself: leave the transform out"
    found = [(i, name) for i, name in enumerate(chosen) if name in recipe.task.scales]
    return [ShapeError(message.format(name), ("data", "transforms", i)) for i, name in found]


def _averages(recipe: Recipe) -> list[ShapeError]:
    """Refuse a second average of the weights: only one of them can be evaluated and saved."""
    averaging = [name for name, r in recipe.regularize.items() if r.averages_weights]
    message = "takes the place of the weights that are evaluated, and so does {}: use one of them"
    return [ShapeError(f"{name} {message.format(averaging[0])}", ("regularize", name)) for name in averaging[1:]]


def _directions(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse a schedule or a regularizer that waits for a metric to grow of which less is better, or the reverse."""
    best = {
        "val/" + name: {"lower": "min", "higher": "max"}.get(way)
        for name, way in recipe.task.metric_names(facts).items()
    }
    best[recipe.task.monitor] = recipe.task.monitor_mode
    asked: list[tuple[Loc, Schedule | Regularizer, str]] = [
        (("schedule", role), s, recipe.task.monitor) for role, s in recipe.schedule.items()
    ]
    asked += [(("regularize", name), r, r.monitored_metric() or "") for name, r in recipe.regularize.items()]
    found = []
    for loc, who, metric in asked:
        given, right = who.monitor_mode(), best.get(metric)
        if given is not None and right is not None and given != right:
            message = f"{who.type} waits for {_EXTREME[given]} {metric}, but {_EXTREME[right]} one is better"
            found.append(ShapeError(f"{message}: write mode: {right}", (*loc, "mode")))
    return found


def _unvalidated(recipe: Recipe, facts: DataFacts) -> list[ShapeError]:
    """Refuse a schedule that waits for a metric which is never measured."""
    if facts.counts.get("val"):
        return []
    waiting = [(role, s) for role, s in recipe.schedule.items() if s.interval == "validation"]
    message = f"looks at {recipe.task.monitor}, but there is no val split"
    return [ShapeError(f"{s.type} {message}", ("schedule", role)) for role, s in waiting]


_EXTREME = {"min": "a smaller", "max": "a greater"}


def metric_names(recipe: Recipe, facts: DataFacts) -> list[str]:
    """Return every metric that the run will have: `train/loss`, and each of the task's on every split with samples."""
    return [
        "train/loss",
        *(f"{split}/{name}" for split in _evaluated(facts) for name in recipe.task.metric_names(facts)),
    ]


def _evaluated(facts: DataFacts) -> list[str]:
    return [split for split in ("val", "test") if facts.counts.get(split)]


def _no_such_metric(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
    return f"this run has no metric {name}{hint}"


def cautions(recipe: Recipe, facts: DataFacts, networks: Mapping[str, NetworkPlan], horizon: Horizon) -> list[str]:
    """Return what a person should know before training."""
    batch = portion(recipe, facts.counts["train"])
    notes = [
        note
        for plan in networks.values()
        for path, layer, x in walk(plan.tree, plan.input)
        if (note := layer.warning(x, batch, path)) is not None  # type: ignore[arg-type]
    ]
    if not facts.counts.get("val"):
        notes.append("there is no val split: the last checkpoint is kept, not the best")
    notes += _recomputing(recipe, networks) + _apart(recipe, facts, networks)
    return [*dict.fromkeys(notes), *recipe.task.warnings(facts)]


def _recomputing(recipe: Recipe, networks: Mapping[str, NetworkPlan]) -> list[str]:
    """Say where computing again saves nothing."""
    if not recipe.hardware.activation_checkpointing:
        return []
    n = numbers(recipe.hardware)
    useless = [role for role, plan in networks.items() if peak(plan, n, recomputing=True) >= peak(plan, n)]
    return [f"activation_checkpointing saves nothing in {role}: it has no blocks to compute again" for role in useless]


def _apart(recipe: Recipe, facts: DataFacts, networks: Mapping[str, NetworkPlan]) -> list[str]:
    """Say where several devices compute something else than one would."""
    ranks = int(recipe.hardware.devices) * recipe.hardware.num_nodes
    layers = {
        layer.type for n in networks.values() for _, layer, x in walk(n.tree, n.input) if layer.uses_batch_statistics
    }
    if ranks == 1 or recipe.hardware.sync_batchnorm or not layers:
        return []
    samples = batch_size(recipe, facts.counts["train"])
    note = f"{' and '.join(sorted(layers))} sees the {samples // ranks} samples of one device at a time"
    return [f"{note}, not all {samples}; on GPUs, hardware.sync_batchnorm: true brings them together"]


def batch_size(recipe: Recipe, samples: int) -> int:
    """Return the samples in one optimizer step: all of them for a full-batch optimizer."""
    full = any(o.full_batch for o in recipe.optimizer.values())
    return samples if full else min(recipe.train.batch_size, samples)


def portion(recipe: Recipe, samples: int) -> int:
    """Return the samples that a device computes at once."""
    ranks = int(recipe.hardware.devices) * recipe.hardware.num_nodes
    return max(1, recipe.train.batch_size // ranks // recipe.train.gradient_accumulation)
