"""Sections that are fine one by one but not together are refused at their line."""

import pytest
from kit import make_plan

from dlx.component import leaf_class, types
from dlx.errors import RecipeError
from dlx.plan import make
from dlx.recipe.load import load

BASE = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: linear\n"
AVERAGES = [name for name in types("regularizers") if leaf_class("regularizers", name).averages_weights]


@pytest.fixture
def refusals(tmp_path):
    def refusals(text):
        (tmp_path / "r.yaml").write_text(BASE + text)
        try:
            make(load(tmp_path / "r.yaml"))
        except RecipeError as error:
            return [(d.source_line[d.column - 1 : d.column - 1 + d.length], d.message) for d in error.diagnostics]
        return []

    return refusals


@pytest.mark.parametrize("given", ["tokenizer=bpe", "max_length=5", "special_tokens=true"])
def test_how_text_is_read_is_refused_where_there_is_none(tmp_path, given):
    (tmp_path / "r.yaml").write_text(BASE)
    with pytest.raises(RecipeError) as refused:
        make(load(tmp_path / "r.yaml", [f"data.{given}"]))
    (found,) = refused.value.diagnostics
    assert found.path == f"data.{given.partition('=')[0]}" and found.message.startswith("there is no text")


@pytest.mark.parametrize(
    ("model", "place"), [("alexnet", "layers.2"), ("{googlenet: {aux_logits: true}}", "layers.5.layers.0")]
)
def test_a_layer_that_nobody_wrote_is_told_by_where_it_stands(tmp_path, model, place):
    (tmp_path / "r.yaml").write_text(BASE.replace("iris", "digits").replace("linear", model))
    with pytest.raises(RecipeError) as refused:
        make(load(tmp_path / "r.yaml"))
    assert refused.value.diagnostics[0].message.endswith(f"does not fit a 1×1 input (in its {place})")


def test_categories_are_no_sequence(tmp_path):
    (tmp_path / "t.csv").write_text("words,kind\n" + "a b,x\nc d,y\n" * 20)
    recipe = BASE.replace("sklearn: iris", "table: {path: t.csv, target: kind}").replace("linear", "gru")
    (tmp_path / "r.yaml").write_text(recipe)
    with pytest.raises(RecipeError) as refused:
        make(load(tmp_path / "r.yaml"))
    assert "types: {column: text}" in refused.value.diagnostics[0].message
    make(load(tmp_path / "r.yaml", ["data.source.types.words=text"]))


def test_only_one_average_can_take_the_place_of_the_weights(refusals):
    first, second = AVERAGES
    ((marked, message),) = refusals(f"regularize: {{{first}: {{}}, {second}: {{}}}}\n")
    assert marked == second and first in message and "use one of them" in message
    assert [refusals(f"regularize: {{{name}: {{}}}}\n") for name in AVERAGES] == [[], []]


def test_a_plateau_that_waits_for_the_wrong_direction(refusals):
    ((marked, message),) = refusals("schedule: {plateau: {mode: max}}\n")
    assert marked == "max" and "waits for a greater val/loss, but a smaller one is better: write mode: min" in message
    assert refusals("schedule: plateau\n") == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ("{monitor: val/accuracy, mode: min}", "min"),
        ("{monitor: val/loss, mode: max}", "max"),
        ("{monitor: val/accuracy, mode: max}", None),
        ("{monitor: val/accuracy}", None),
        ("{monitor: val/loss}", None),
    ],
)
def test_early_stopping_in_the_wrong_direction(refusals, fields, wrong):
    found = refusals(f"regularize: {{early_stopping: {fields}}}\n")
    assert [marked for marked, _ in found] == ([wrong] if wrong else [])


def test_a_plateau_without_a_val_split(tmp_path):
    (tmp_path / "r.yaml").write_text(BASE + "schedule: plateau\n")
    with pytest.raises(RecipeError) as refused:
        make(load(tmp_path / "r.yaml", ["data.split.val=0"]))
    (found,) = refused.value.diagnostics
    message = found.message
    assert found.source_line == "schedule: plateau" and "looks at val/loss, but there is no val split" in message


@pytest.mark.parametrize("devices", [1, 2])
def test_batch_statistics_of_several_devices_are_told(tmp_path, devices):
    model = "model: {type: layers, layers: [{linear: 8}, batch_norm, relu]}\n"
    hardware = f"hardware: {{accelerator: cpu, devices: {devices}}}\n"
    (tmp_path / "r.yaml").write_text(BASE.replace("model: linear\n", model + hardware) + "train: {batch_size: 30}\n")
    told = [note.message for note in make(load(tmp_path / "r.yaml")).warnings if "one device" in note.message]
    assert len(told) == devices - 1
    assert all(note.startswith("batch_norm sees the 15 samples of one device at a time, not all 30") for note in told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {batch_size: 16, samples_per_class: 4}\n", "of each class need 4 classes, of which there are 3"),
        ("train: {batch_size: 6, samples_per_class: 2}\noptimizer: gd\n", "takes all samples at once"),
        (
            "train: {batch_size: 6, samples_per_class: 2}\ndata: {source: {sklearn: diabetes}}\ntask: regression\n",
            "there are no classes",
        ),
        ("train: {batch_size: 6, samples_per_class: 2}\n", None),
    ],
)
def test_batches_of_some_classes_need_as_many(tmp_path, text, said):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "r.yaml").write_text("extends: base.yaml\n" + text)
    if said is None:
        make(load(tmp_path / "r.yaml"))
        return
    with pytest.raises(RecipeError, match=said):
        make(load(tmp_path / "r.yaml"))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_missing_numbers_need_a_layer_that_replaces_them(tmp_path, split):
    """A gap in any split is found, where the network passes it on."""
    rows = [[f"{i % 7}.5", f"{i % 5}", "p" if i % 2 else "n", ("train", "val", "test")[i % 3]] for i in range(60)]
    next(row for row in rows if row[3] == split)[1] = ""
    (tmp_path / "t.csv").write_text("a,b,y,part\n" + "".join(",".join(row) + "\n" for row in rows))
    data = "{source: {table: {path: t.csv, target: y}}, split: {by: column, column: part}, inputs: [a, b]}"
    (tmp_path / "r.yaml").write_text(f"task: classification\ndata: {data}\nmodel: {{mlp: {{hidden: [4]}}}}\n")
    with pytest.raises(RecipeError) as refused:
        make(load(tmp_path / "r.yaml", ["model={layers: [{linear: 4}]}"]))
    assert f"numeric lacks numbers in {split}" in refused.value.diagnostics[0].message
    make(load(tmp_path / "r.yaml", ["model={layers: [columns, {linear: 4}]}"]))


@pytest.mark.parametrize(
    ("monitor", "said"), [("test/loss", "is no metric of val"), ("train/loss", "is no metric of val")]
)
def test_a_monitor_is_a_metric_of_val(refusals, monitor, said):
    ((marked, message),) = refusals(f"regularize: {{early_stopping: {{monitor: {monitor}}}}}\n")
    assert marked == monitor and said in message
    assert refusals("regularize: {early_stopping: {monitor: val/loss}}\n") == []


def test_a_full_batch_optimizer_is_priced_at_the_whole_train_split(tmp_path):
    (tmp_path / "r.yaml").write_text(BASE + "train: {batch_size: 8}\n")
    small, whole = (make(load(tmp_path / "r.yaml", [f"optimizer={name}"])) for name in ("sgd", "gd"))
    samples = whole.facts.counts["train"]
    assert whole.memory.activations == small.memory.activations / 8 * samples
    assert whole.length.steps_per_epoch == 1


def test_a_loss_that_takes_no_mixtures_refuses_mixup(tmp_path):
    task = "task: {{type: classification, loss: {}}}\n"
    recipe = task + "data: {{source: {{sklearn: digits}}, augment: [mixup]}}\nmodel: {{mlp: [8]}}\n"
    with pytest.raises(RecipeError) as caught:
        make_plan(recipe.format("hinge"), folder=tmp_path)
    (found,) = caught.value.diagnostics
    assert found.line == 2 and "mixtures of targets" in found.message
    assert make_plan(recipe.format("cross_entropy"), folder=tmp_path)
