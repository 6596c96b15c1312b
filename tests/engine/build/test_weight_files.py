"""A network is initialized from a published safetensors file, and nothing of either is left out in silence."""

import json
import logging

import pytest
import torch
from kit import quiet
from safetensors.torch import save_file

import dlx
from dlx.engine.build.experiment import build_module
from dlx.errors import DataError, RecipeError, UsageError
from dlx.tasks import for_role
from dlx.weight_files import find_weight_files, read_shapes

RECIPE = """
task: classification
data: {source: {random_images: {n_samples: 40, image_size: 64, channels: 3, n_classes: 3}}}
model: {resnet: {depth: 18, width: 4}}
hardware: {accelerator: cpu, num_threads: 1}
"""
TEXTS = """
task: classification
data:
  source: {table: {path: texts.csv, target: label, types: {text: text}}}
  tokenizer: {pretrained: tokenizer.json}
  special_tokens: true
model: {bert: {features: 8, num_layers: 1, num_heads: 2, max_length: 16}}
hardware: {accelerator: cpu, num_threads: 1}
"""
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


def network(changes=None, recipe="r.yaml"):
    return build_module(dlx.plan.make(dlx.load(recipe, changes or {}))).networks["network"]


def name_map(recipe, library):
    return for_role(dlx.load(recipe).recipe.model, "network").name_maps()[library]


def published(state):
    """Return a state dict as torchvision would have saved it, with random numbers."""
    names = name_map("r.yaml", "torchvision")
    torch.manual_seed(1)
    return {names.published_names(n)[0]: torch.randn(v.shape) if v.ndim else v.clone() for n, v in state.items()}


@pytest.fixture
def tensors(here):
    found = published(network().state_dict())
    save_file(found, "resnet.safetensors")
    return found


FROM_FILE = {"init_from": {"file": "resnet.safetensors", "names": "torchvision"}}


def test_every_weight_is_that_of_the_file(tensors):
    state = network(FROM_FILE).state_dict()
    assert torch.equal(state["body.stem.0.weight"], tensors["conv1.weight"])
    assert torch.equal(state["body.stage2.0.shortcut.1.running_var"], tensors["layer2.0.downsample.1.running_var"])
    assert torch.equal(state["head.1.bias"], tensors["fc.bias"])


def test_a_head_for_other_classes_is_refused_and_left_out_by_name(tensors):
    save_file({**tensors, "fc.weight": torch.randn(1000, 32), "fc.bias": torch.randn(1000)}, "resnet.safetensors")
    with pytest.raises(UsageError, match=r"head\.1\.weight: 3 × 32 here, fc\.weight 1000 × 32 there"):
        network(FROM_FILE)
    own = network().state_dict()
    state = network({"init_from": {**FROM_FILE["init_from"], "only": ["body"]}}).state_dict()
    assert torch.equal(state["body.stem.0.weight"], tensors["conv1.weight"])
    assert torch.equal(state["head.1.weight"], own["head.1.weight"])


def test_what_is_absent_and_what_nothing_takes_is_listed(tensors):
    del tensors["layer1.0.conv1.weight"]
    save_file({**tensors, "layer9.conv1.weight": torch.zeros(1)}, "resnet.safetensors")
    with pytest.raises(UsageError) as error:
        network(FROM_FILE)
    assert "body.stage1.0.layers.0.weight: layer1.0.conv1.weight is not in the file" in str(error.value)
    assert "layer9.conv1.weight: nothing here takes it" in str(error.value)


def test_names_of_dlx_are_the_default(here):
    state = network().state_dict()
    save_file({name: torch.full_like(value, 2) for name, value in state.items()}, "own.safetensors")
    found = network({"init_from": {"file": "own.safetensors"}}).state_dict()
    assert all((value == 2).all() for value in found.values())


def test_the_lock_holds_the_hash_of_the_file(tensors, here):
    from hashlib import sha256

    from dlx.engine.build.weights import weights_origin

    recipe = dlx.load("r.yaml", FROM_FILE).recipe
    digest = sha256((here / "resnet.safetensors").read_bytes()).hexdigest()
    assert weights_origin(recipe.init_from, here)["sha256"] == {"resnet.safetensors": digest}


@pytest.mark.parametrize(
    ("init_from", "message"),
    [
        ({"file": "none.safetensors"}, "there are no weights at"),
        ({"file": "~nobody-of-this-name/w.safetensors"}, "no home folder of that user is known"),
        ({"file": "w.bin"}, r"is a pickle, which runs code as it is read.*save_file\(torch\.load\('w\.bin'"),
        ({"file": "text.safetensors"}, "not a safetensors file"),
        ({"file": "resnet.safetensors", "names": "openai"}, "has no names of openai; there are dlx, torchvision"),
    ],
)
def test_the_plan_refuses_a_file_at_its_line(tensors, here, init_from, message):
    (here / "w.bin").write_bytes(b"\x80\x04")
    (here / "text.safetensors").write_text("no tensors at all, but more than eight bytes")
    with pytest.raises(RecipeError, match=message):
        dlx.plan.make(dlx.load("r.yaml", {"init_from": init_from}))


def test_the_files_of_a_folder_are_read_together(here):
    first, second = {"a": torch.ones(2)}, {"b": torch.ones(3, 4)}
    save_file(first, "one.safetensors")
    save_file(second, "two.safetensors")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (here / "model.safetensors.index.json").write_text(json.dumps(index))
    assert read_shapes(find_weight_files(here)) == {"a": (2,), "b": (3, 4)}


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "two.bin", 3])
def test_an_index_points_at_no_file_elsewhere(here, name):
    (here / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(DataError, match="no safetensors file beside it"):
        find_weight_files(here)


@pytest.mark.parametrize(
    "header",
    [b"\xff" * 8, b"\x02" + b"\0" * 7 + b"[]", b"\x0d" + b"\0" * 7 + b'{"a":{"b":1}}', b"\x05\0\0\0\0\0\0\0{}"],
)
def test_a_damaged_header_is_said(here, header):
    (here / "x.safetensors").write_bytes(header)
    with pytest.raises(DataError, match=r"x\.safetensors"):
        read_shapes([here / "x.safetensors"])


@pytest.fixture
def texts(here):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save("tokenizer.json")
    rows = ["text,label", *["good film,1", "bad film,0"] * 20]
    (here / "texts.csv").write_text("\n".join(rows))
    (here / "t.yaml").write_text(TEXTS)
    return here


def test_special_tokens_take_the_rows_of_those_that_stand_for_them(texts, caplog):
    names = name_map("t.yaml", "hf")
    state, found = network(recipe="t.yaml").state_dict(), {}
    for name, value in state.items():
        sources = names.published_names(name)
        for source, part in zip(sources, value.chunk(len(sources)), strict=True):
            found[f"bert.{source}" if "classifier" not in source else source] = torch.randn_like(part).contiguous()
    rows = torch.randn(len(WORDS), 8)
    found["bert.embeddings.word_embeddings.weight"] = rows
    save_file({**found, "cls.seq_relationship.bias": torch.zeros(2)}, "bert.safetensors")
    with caplog.at_level(logging.WARNING):
        taken = network({"init_from": {"file": "bert.safetensors", "names": "hf"}}, "t.yaml").state_dict()
    assert torch.equal(taken["body.0.weight"], torch.cat([rows[[0, 1, 2, 3]], rows]))
    assert "leaves out cls.seq_relationship.bias" in caplog.text


def test_a_run_goes_on_without_the_file_that_it_began_with(here):
    small = RECIPE.replace("resnet: {depth: 18, width: 4}", "mlp: [4]") + "train: {epochs: 1, figures: false}\n"
    (here / "r.yaml").write_text(small.replace("image_size: 64", "image_size: 8"))
    save_file(network().state_dict(), "own.safetensors")
    run = dlx.train("r.yaml", {"init_from": {"file": "own.safetensors"}}, console=quiet())
    (here / "own.safetensors").unlink()
    again = dlx.resume(run.folder, overrides={"train.epochs": 2}, allow_change=True, console=quiet())
    assert again.status == "FINISHED" and again.seconds > run.seconds
