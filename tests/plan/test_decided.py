"""Whatever a section of a recipe leaves to `auto` is decided by the plan, told, and stored."""

from typing import get_args

import pytest

from dlx.component import Component, Section, families, leaf_class, types
from dlx.data.prepare import prepare
from dlx.plan import make
from dlx.plan.hardware import LARGE
from dlx.recipe.load import load
from dlx.recipe.schema.recipe import Recipe


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return path

    return write


def takes_auto(annotation):
    """Say whether a field that is annotated like this may be `auto`."""
    return any(a == "auto" or takes_auto(a) for a in get_args(annotation))


def fields_that_take_auto(section, path=()):
    """Return the paths of all such fields in a section of the schema and the sections inside of it."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section) and not issubclass(kind, Component):
            yield from fields_that_take_auto(kind, (*path, name))
        elif takes_auto(kind):
            yield (*path, name)


AUTOS = list(fields_that_take_auto(Recipe))
OFF_BY_DEFAULT = {("baselines",)}
"""What is decided only where a recipe asks for it."""


def recipe_of(task, source):
    return f"task: {task}\ndata: {{source: {{sklearn: {source}}}}}\nmodel: linear\n"


CLASSES, AMOUNTS = recipe_of("classification", "digits"), recipe_of("regression", "diabetes")


@pytest.mark.parametrize("path", AUTOS, ids=".".join)
@pytest.mark.parametrize("text", [CLASSES, AMOUNTS], ids=["classes", "amounts"])
def test_every_auto_of_a_section_is_decided_told_and_stored(written, path, text):
    loaded = load(written(text), [f"{'.'.join(path)}=auto"])
    plan = make(loaded)
    stored = loaded.to_stored(plan.resolved)
    for name in path:
        stored = stored[name]
    assert stored != "auto" and plan.auto_values[".".join(path)]
    assert {".".join(p) for p in AUTOS if p not in OFF_BY_DEFAULT} <= set(plan.auto_values)


@pytest.mark.parametrize("text", [CLASSES, AMOUNTS, recipe_of("classification", "iris")])
def test_a_decided_split_is_the_one_that_auto_makes(written, text):
    loaded = load(written(text))
    plan = make(loaded)
    assert plan.resolved.data.split.by != loaded.recipe.data.split.by == "auto"
    assert prepare(plan.resolved.data, plan.base, plan.recipe.task.target_kind).facts == plan.facts


def components_that_take_auto():
    """Return the family, name and field of every such field. The autos of layers, their weights, models and heads
    become layers, which the plan shows as such; those of sources are decided for every file that is read, and those of
    baselines when they are fitted.
    """
    for family in set(families()) - {"layers", "models", "initializers", "sources", "baselines"}:
        for name in types(family):
            kinds = {f: info.annotation for f, info in leaf_class(family, name).model_fields.items() if f != "head"}
            yield from ((family, name, f) for f, kind in kinds.items() if takes_auto(kind))


POINTS = """
task: diffusion
data: {source: {sklearn: SOURCE}, transforms: []}
model: {mlp: [8]}
regularize: {early_stopping: {patience: 3}}
"""
SETTLED = {
    "regularize.early_stopping.mode": (POINTS.replace("SOURCE", "iris"), "min"),
    "task.scaling": (POINTS.replace("SOURCE", "iris"), "standard"),
}


def test_every_auto_of_a_component_is_tried_here():
    assert {field for _, _, field in components_that_take_auto()} == {path.rpartition(".")[2] for path in SETTLED}


@pytest.mark.parametrize("path", SETTLED)
def test_every_auto_of_a_component_is_decided_told_and_stored(written, path):
    text, expected = SETTLED[path]
    loaded = load(written(text))
    plan = make(loaded)
    stored = loaded.to_stored(plan.resolved)
    for name in path.split("."):
        stored = stored[name]
    assert stored == plan.auto_values[path] == expected
    assert path not in make(load(written(text), [f"{path}={expected}"])).auto_values


def test_of_images_diffusion_is_scaled_by_their_range(written):
    text = POINTS.replace("SOURCE", "digits").replace("{mlp: [8]}", "{denoiser_unet: {channels: [8], num_heads: 0}}")
    assert make(load(written(text))).auto_values["task.scaling"] == "min_max"


def test_what_is_given_is_not_decided(written):
    given = ["accelerator=cpu", "devices=1", "strategy=single_device", "precision=32", "num_threads=1"]
    given += ["channels_last=false"]
    overrides = ["data.num_workers=1", "data.split.by=random", *(f"hardware.{g}" for g in given)]
    plan = make(load(written(CLASSES), overrides))
    assert set(plan.auto_values) == {"data.transforms"} and plan.auto_values["data.transforms"] == "normalize"
    assert (plan.resolved.data.num_workers, plan.resolved.data.split.by) == (1, "random")


CONVS = """
task: classification
data: {source: {sklearn: digits}}
model:
  type: layers
  layers:
    - {conv: {channels: 64, kernel: 3}}
    - {conv: {channels: 128, kernel: 3}}
    - {conv: {channels: 256, kernel: 3}}
    - {global_pool: avg}
hardware: {accelerator: cpu}
"""


@pytest.mark.parametrize("flags", ["avx512f avx512_bf16", "amx_tile amx_bf16", "avx512f", None])
@pytest.mark.parametrize("size", [16, 512])
def test_bf16_is_decided_where_the_cpu_has_it_and_a_step_is_large(written, tmp_path, monkeypatch, flags, size):
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"model name\t: Some CPU\nflags\t\t: fpu sse {flags} avx\n")
    monkeypatch.setattr("dlx.machine.CPUINFO", cpuinfo)
    plan = make(load(written(CONVS), [f"train.batch_size={size}"]))
    large = plan.quantities["plan/macs"] * size >= LARGE
    assert large == (size == 512)
    expected = "bf16-mixed" if large and flags is not None and "bf16" in flags else 32
    assert plan.recipe.hardware.precision == plan.resolved.hardware.precision == expected
    assert plan.auto_values["hardware.precision"].startswith(str(expected))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], True),
        (["model={mlp: {hidden: [8]}}"], False),
        (["model=lenet5"], False),
        (["model={resnet: {depth: 20}}"], True),
        (["model={dcgan_discriminator: {channels: [512, 1024]}}"], True),
        (
            ["model.layers=[{conv: {channels: 999, kernel: 3}}, {conv: {channels: 99, kernel: 3}}, {group_norm: 9}]"],
            False,
        ),
        (["hardware.channels_last=false"], False),
        (["hardware={accelerator: cpu, devices: 2, strategy: fsdp}"], False),
    ],
)
def test_channels_are_last_where_a_cpu_convolves(written, changes, expected):
    plan = make(load(written(CONVS), changes))
    assert plan.recipe.hardware.channels_last is plan.resolved.hardware.channels_last is expected
    told = plan.auto_values.get("hardware.channels_last", "")
    assert told.startswith("" if changes[:1] == ["hardware.channels_last=false"] else str(expected).lower())
