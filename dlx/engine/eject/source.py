"""The source of an ejected project, put together of its templates and of the calls that make a recipe's objects."""

from __future__ import annotations

import ast
import math
from typing import Any

from torch import nn

from dlx.engine.build.experiment import Experiment
from dlx.engine.eject import templates
from dlx.engine.eject.expressions import CallWriter, NotExpressibleError, literal, split_file
from dlx.plan import Plan
from dlx.plan.plan import checkpoint_monitor
from dlx.tasks import for_role

NETWORK, MODULE = "Network", "TrainingModule"
BASIC_IMPORTS = (
    "from typing import Any",
    "import pytorch_lightning as pl",
    "import torch",
    "from torch import nn",
)


def model_source(experiment: Experiment, writer: CallWriter) -> str:
    """Return model.py. Raises: NotExpressibleError if an object has no spelling in Python."""
    module: Any = experiment.module
    plan, network = experiment.plan, module.networks[module.role]
    layers, forward = _layers(network, writer)
    try:
        criterion = writer.module(module.criterion)
    except NotExpressibleError as error:
        raise error.within("task") from None
    try:
        optimizer = _optimizer(experiment, writer)
    except NotExpressibleError as error:
        raise error.within("optimizer") from None
    schedule = _schedule(plan)
    copied = [split_file(path.read_text(encoding="utf-8")) for path in writer.files]
    text = templates.MODEL.format(
        title=plan.recipe.name,
        imports="",
        copied="".join(f"{body}\n\n\n" for _, body in copied),
        network=NETWORK,
        module=MODULE,
        summary=f"{sum(p.numel() for p in network.parameters()):,} parameters.",
        layers=layers,
        forward=forward,
        schedule=schedule,
        criterion=criterion,
        measured=" and accuracy" if plan.facts.kind == "classes" else "",
        accuracy=templates.ACCURACY if plan.facts.kind == "classes" else "",
        optimizer=optimizer,
    )
    more = [line for lines, _ in copied for line in lines]
    more += ["from collections import OrderedDict"] if "OrderedDict(" in text else []
    more += ["import math"] if "math." in text else []
    return text.replace("annotations\n\n\n\n", f"annotations\n\n{_sort_imports(more)}\n\n\n", 1)


def _sort_imports(more: list[str]) -> str:
    """Return imports, the standard library's first, each name once."""
    names: dict[str, set[str]] = {}
    for line in {*BASIC_IMPORTS, *more}:
        (node,) = ast.parse(line).body
        if isinstance(node, ast.ImportFrom):
            names.setdefault(f"from {node.module} import", set()).update(ast.unparse(a) for a in node.names)
        else:
            names.setdefault(line, set())
    lines = [f"{start} {', '.join(sorted(found))}".rstrip() for start, found in names.items()]
    ours = [line for line in lines if "torch" in line]
    others = sorted((line for line in lines if line not in ours), key=lambda line: (line.startswith("from"), line))
    return "\n".join([*others, "", *sorted(ours, key=lambda line: (line.startswith("from"), line))])


def _layers(network: nn.Module, writer: CallWriter) -> tuple[str, str]:
    """Return the lines that make the network's parts, and the expression that applies them to x."""
    parts = dict(network.named_children())
    if type(network) is not nn.Sequential or not all(name.isidentifier() for name in parts):
        raise NotExpressibleError("it is no sequence of named parts")
    lines = [f"        self.{name} = {writer.module(part)}" for name, part in parts.items()]
    forward = "x"
    for name in parts:
        forward = f"self.{name}({forward})"
    return "\n".join(lines), forward


def _optimizer(experiment: Experiment, writer: CallWriter) -> str:
    """Return the body of configure_optimizers."""
    module: Any = experiment.module
    made = module.configure_optimizers()[0]["optimizer"]
    lines, groups = _groups(module.networks[module.role], made)
    lines.append(f"optimizer = {writer.optimizer(made, groups)}")
    schedule = for_role(experiment.plan.recipe.schedule, module.role)
    if schedule.is_constant:
        lines.append("return optimizer")
    else:
        lines.append("scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_factor)")
        lines.append('return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}')
    return "\n".join(f"        {line}" for line in lines)


def _groups(network: nn.Module, optimizer: Any) -> tuple[list[str], str]:
    """Return the lines that choose parameters for groups of their own, and the groups as an expression."""
    groups = optimizer.param_groups
    if len(groups) == 1:
        return [], "self.parameters()"
    names = {parameter: name for name, parameter in network.named_parameters()}
    lines, said = ["named = dict(self.network.named_parameters())"], []
    for number, group in enumerate(groups):
        own = {k: group[k] for k in ("lr", "weight_decay") if k in group and group[k] != optimizer.defaults[k]}
        chosen = ", ".join(f'"{names[p]}"' for p in group["params"])
        lines.append(f"names_{number} = [{chosen}]")
        more = "".join(f', "{k}": {literal(v)}' for k, v in own.items())
        said.append(f'{{"params": [named[name] for name in names_{number}]{more}}}')
    if len(groups) == 2 and _are_vectors(groups):
        lines = [
            "weights = [p for p in self.parameters() if p.ndim > 1]",
            "others = [p for p in self.parameters() if p.ndim <= 1]  # biases and norms, without weight decay",
        ]
        said = ['{"params": weights}', '{"params": others, "weight_decay": 0.0}']
    lines += ["groups = [", *(f"    {group}," for group in said), "]"]
    return lines, "groups"


def _are_vectors(groups: list[dict[str, Any]]) -> bool:
    """Return whether the groups are the matrices, and all else without weight decay."""
    first, second = groups
    is_split = all(p.ndim > 1 for p in first["params"]) and all(p.ndim <= 1 for p in second["params"])
    return is_split and second["weight_decay"] == 0 and first["lr"] == second["lr"]


def _schedule(plan: Plan) -> str:
    (role,) = plan.networks
    schedule = for_role(plan.recipe.schedule, role)
    if schedule.is_constant:
        return ""
    warmup = plan.length.count(schedule.warmup)
    lines = templates.WARMUP.format(warmup=warmup) if warmup else ""
    return templates.SCHEDULE.format(warmup=lines, formula=schedule.formula(plan.length))


def train_source(experiment: Experiment) -> str:
    """Return train.py."""
    plan, batches = experiment.plan, experiment.batches
    recipe = plan.recipe
    best = checkpoint_monitor(plan)[0] is not None
    loaders = [
        f'    {split} = DataLoader(dataset(arrays, "{split}"), batch_size={batches[split].size}, generator=own)'
        for split in ("val", "test")
        if split in batches and (split == "test" or best)
    ]
    fit = templates.FIT_BEST if best else templates.FIT
    return templates.TRAIN.format(
        title=recipe.name,
        module=MODULE,
        seed=recipe.seed,
        epochs=math.ceil(plan.length.steps / plan.length.steps_per_epoch),
        batch_size=batches["train"].size,
        num_threads=recipe.hardware.num_threads,
        accelerator=recipe.hardware.accelerator,
        deterministic=recipe.train.deterministic,
        loaders="\n".join([*loaders, templates.BEST.rstrip("\n")] if best else loaders),
        callbacks="best" if best else "",
        val_every=recipe.train.val_every_n_epochs,
        no_checkpoint="" if best else "\n        enable_checkpointing=False,",
        fit=(fit + (templates.TEST if "test" in batches else "")).rstrip("\n"),
    )
